// The place in the log that an event's id holds: the lower 64 bits of its ULID.

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The `seq` of `evt_…`; undefined when it is not one. */
export function seqOf(id: string): bigint | undefined {
  const text = /^evt_([0-7][0-9A-HJKMNP-TV-Z]{25})$/.exec(id)?.[1];
  if (text === undefined) return undefined;
  return BigInt.asUintN(64, [...text].reduce((whole, digit) => whole * 32n + BigInt(DIGITS.indexOf(digit)), 0n));
}
