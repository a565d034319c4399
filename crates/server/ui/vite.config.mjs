import { defineConfig } from 'vite';

// Fixed names: the output is committed and embedded, the server answers with an ETag,
// and `./test` asks that a second build changes nothing.
export default defineConfig({
  base: '/assets/',
  publicDir: false,
  // The colour test reads the tokens as text, which vitest otherwise leaves empty.
  test: { css: true, include: ['src/**/*.test.ts'] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: true,
    rolldownOptions: {
      input: { watch: 'watch.html' },
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: '[name].js',
        assetFileNames: '[name][extname]',
      },
    },
  },
});
