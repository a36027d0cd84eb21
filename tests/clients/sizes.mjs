// How much each test does. `LONG=1` is the full measure, without it the tests take minutes.

const UNITS = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, KB: 1e3, MB: 1e6, GB: 1e9 };

export const KIB = UNITS.KiB;
export const MIB = UNITS.MiB;
export const GIB = UNITS.GiB;

/** True when the full measure is wanted. */
export const long = process.env.LONG === '1';

/** Per-test limit in milliseconds. */
export const timeout = long ? 1_800_000 : 180_000;

/** Bytes of the large upload: `SIZE`, e.g. `SIZE=1GiB`. */
export const largeUpload = sizeFrom('SIZE', long ? GIB : 64 * MIB);

/** Rounds of the two-writers race: `ROUNDS`. */
export const raceRounds = count('ROUNDS', long ? 1000 : 100);

/** Rounds of kill and restart: `ROUNDS`. */
export const crashRounds = count('ROUNDS', long ? 200 : 20);

/** The upload in chunks that is cut again and again. */
export const chunkedUpload = long
  ? { bytes: 200 * UNITS.MB, chunkBytes: 5 * UNITS.MB }
  : { bytes: 20 * UNITS.MB, chunkBytes: 500 * UNITS.KB };

/** Rounds of one chunk sent twice at once: `ROUNDS`. */
export const chunkRounds = count('ROUNDS', long ? 500 : 50);

/** Seconds of load from small uploads: `LOAD_SECONDS`. */
export const loadSeconds = count('LOAD_SECONDS', 10);

/** Idle connections that are held at once: `CONNECTIONS`. */
export const idleConnections = count('CONNECTIONS', long ? 10_000 : 1000);

/** Bytes of each of the uploads that arrive at once. */
export const parallelUpload = long ? 100 * UNITS.MB : 20 * UNITS.MB;

/** Bytes of the single PATCH whose memory is measured. */
export const singlePatch = long ? GIB : 256 * MIB;

function count(name, fallback) {
  const text = process.env[name];
  if (text === undefined) {
    return fallback;
  }
  if (!/^[1-9][0-9]*$/.test(text)) {
    throw new Error(`${name}=${text}: expected a whole number above zero`);
  }
  return Number(text);
}

/** Bytes from an environment variable like `64MiB`. */
export function sizeFrom(name, fallback) {
  const text = process.env[name];
  if (text === undefined) {
    return fallback;
  }
  const found = /^([1-9][0-9]*) ?([KMG]i?B)?$/.exec(text);
  if (!found) {
    throw new Error(`${name}=${text}: expected something like 64MiB`);
  }
  return Number(found[1]) * UNITS[found[2] ?? ''];
}
