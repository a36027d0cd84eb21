// Bytes that nobody has to keep: any range of them can be made again from the seed.

import { createCipheriv, createHash, randomInt } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const BLOCK = 16;
const STEP = 256 * 1024;
const ZEROS = Buffer.alloc(STEP);

/** `length` pseudo-random bytes: the AES-128-CTR key stream of a key made from `seed`. */
export class SeededBytes {
  #key;

  constructor(seed, length) {
    this.#key = createHash('sha256').update(String(seed)).digest().subarray(0, BLOCK);
    this.length = length;
  }

  /** Makes the bytes `[start, end)`, at most 256 KiB at a time. */
  *chunks(start = 0, end = this.length) {
    const counter = Buffer.alloc(BLOCK);
    counter.writeBigUInt64BE(BigInt(Math.floor(start / BLOCK)), BLOCK - 8);
    const cipher = createCipheriv('aes-128-ctr', this.#key, counter);
    cipher.update(ZEROS.subarray(0, start % BLOCK));
    for (let at = start; at < end; at += STEP) {
      yield cipher.update(ZEROS.subarray(0, Math.min(STEP, end - at)));
    }
  }

  /** The bytes `[start, end)` in one buffer. */
  slice(start = 0, end = this.length) {
    return Buffer.concat([...this.chunks(start, end)]);
  }

  /** The bytes `[start, end)` as a stream that makes them as they are read. */
  stream(start = 0, end = this.length) {
    return Readable.from(this.chunks(start, end), { objectMode: false });
  }

  /** SHA-256 of the bytes `[start, end)` in hexadecimal. */
  sha256(start = 0, end = this.length) {
    const hash = createHash('sha256');
    for (const chunk of this.chunks(start, end)) {
      hash.update(chunk);
    }
    return hash.digest('hex');
  }

  /** Writes all the bytes to a file. */
  async writeTo(path) {
    await pipeline(this.stream(), createWriteStream(path));
  }
}

/** Random numbers from a seed; `SEED` in the environment repeats an earlier run. */
export class Dice {
  #state;

  constructor(seed = Number(process.env.SEED ?? randomInt(2 ** 31))) {
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** A whole number in `[low, high]`. */
  between(low, high) {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  // A Weyl sequence through a 32-bit finalizer: short, and good enough to choose sizes and moments.
  #next() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return ((word ^ (word >>> 16)) >>> 0) / 2 ** 32;
  }
}
