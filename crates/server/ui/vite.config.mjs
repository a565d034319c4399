import { defineConfig } from 'vite';

// Fixed names: the output is committed and embedded, the server answers with an ETag,
// and `./test` asks that a second build changes nothing.
// One page a build (`--mode console`, `--mode watch`): each script is whole, and neither page loads the other's.
export default defineConfig(({ mode }) => {
  const page = mode === 'console' ? 'console' : 'watch';
  return {
    base: '/assets/',
    publicDir: false,
    // The colour test reads the tokens as text, which vitest otherwise leaves empty.
    test: { css: true, include: ['src/**/*.test.ts'] },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: 'dist',
      emptyOutDir: page === 'watch',
      target: 'es2022',
      sourcemap: false,
      assetsInlineLimit: 0,
      modulePreload: false,
      reportCompressedSize: true,
      rolldownOptions: {
        input: { [page]: `${page}.html` },
        output: {
          entryFileNames: '[name].js',
          chunkFileNames: '[name].js',
          assetFileNames: '[name][extname]',
        },
      },
    },
  };
});
