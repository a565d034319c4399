// How fast to play, so that a viewer who fell behind the live edge comes back to where it should be.

/** Fast enough to make up a second in twenty, and hardly heard. */
const FASTER = 1.05;

/** Nearer than this to where it should be, it is there. */
const CLOSE_SECONDS = 0.05;

/** Where a viewer is; all in seconds. */
export interface Place {
  /** Behind the live edge. */
  behind: number;
  /** Behind it where the viewer should be. */
  target: number;
  /** Buffered ahead of what is played. */
  buffered: number;
  /** Length of a part; 0 where there are none. */
  part: number;
  /** The playlist's target duration. */
  segment: number;
}

/**
 * The rate to play at. Faster only with enough left to play: a part and a half, where the next part comes when this
 * one is played, else a second. Who is a segment further away than twice where it should be is moved.
 */
export function pace({ behind, target, buffered, part, segment }: Place): number {
  const far = behind - target;
  const spare = part > 0 ? 1.5 * part : 1;
  return far > CLOSE_SECONDS && far < target + segment && buffered > spare ? FASTER : 1;
}
