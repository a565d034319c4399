// Safari's variant of Media Source Extensions, not yet in TypeScript's DOM library.
interface Window {
  ManagedMediaSource?: typeof MediaSource;
}
