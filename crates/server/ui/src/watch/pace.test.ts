import { describe, expect, it } from 'vitest';
import { pace } from './pace';

const parts = { behind: 1.3, target: 1, buffered: 0.9, part: 0.333, segment: 4 };

describe('pace', () => {
  it('is faster behind where the playlist wants viewers, and real time there', () => {
    expect(pace(parts)).toBe(1.05);
    expect(pace({ ...parts, behind: 1.04 })).toBe(1);
    expect(pace({ ...parts, behind: 0.8 })).toBe(1);
  });

  it('is real time while little is buffered: a part and a half, or a second without parts', () => {
    expect(pace({ ...parts, buffered: 0.51 })).toBe(1.05);
    expect(pace({ ...parts, buffered: 0.49 })).toBe(1);
    expect(pace({ behind: 7, target: 6, buffered: 0.9, part: 0, segment: 2 })).toBe(1);
    expect(pace({ behind: 7, target: 6, buffered: 1.1, part: 0, segment: 2 })).toBe(1.05);
  });

  it('does not run after an edge that is far away', () => {
    expect(pace({ ...parts, behind: 5.9, buffered: 3 })).toBe(1.05);
    expect(pace({ ...parts, behind: 6.1, buffered: 3 })).toBe(1);
  });
});
