// Random numbers keyed by seed, purpose and index: the same numbers as those of `dermagan_base::rng::Keyed`.

import { chacha8 } from '@noble/ciphers/chacha.js';

const NONCE = new Uint8Array(12);
const TWO_32 = 2 ** 32;
/** The number of bytes that are drawn at once: 64 numbers of 64 bits. */
const CHUNK = 512;
const BLOCK = 64;

/** The stream of numbers of one (seed, purpose, index). */
export class Keyed {
  readonly #key = new Uint8Array(32);
  #words = new Uint32Array(0);
  #next = 0;
  #blocks = 0;

  /** `seed`: 0 to 2^64 - 1. `purpose`: at most 16 ASCII characters. */
  constructor(seed: bigint, purpose: string) {
    const key = new DataView(this.#key.buffer);
    key.setBigUint64(0, seed, true);
    this.#key.set(new TextEncoder().encode(purpose), 8);
    // The index, from byte 24, is 0 for everything that the page draws.
  }

  /** The upper and the lower half of the next 64 bits. */
  #halves(): [number, number] {
    if (this.#next === this.#words.length) {
      const bytes = chacha8(this.#key, NONCE, new Uint8Array(CHUNK), undefined, this.#blocks);
      this.#blocks += CHUNK / BLOCK;
      const view = new DataView(bytes.buffer, bytes.byteOffset, CHUNK);
      this.#words = Uint32Array.from({ length: CHUNK / 4 }, (_, i) => view.getUint32(4 * i, true));
      this.#next = 0;
    }
    const [low, high] = [this.#words[this.#next] ?? 0, this.#words[this.#next + 1] ?? 0];
    this.#next += 2;
    return [high, low];
  }

  /** A uniform integer from 0 to n - 1, or 0 if n is 0 (Lemire 2019). */
  below(n: number): number {
    const [high, low] = this.#halves();
    const bits = (BigInt(high) << 32n) | BigInt(low);
    return Number((bits * BigInt(n)) >> 64n);
  }

  /** A uniform number in [0, 1) with 53 random bits. */
  unit(): number {
    const [high, low] = this.#halves();
    return (high * 2 ** 21 + (low >>> 11)) / (TWO_32 * 2 ** 21);
  }

  /**
   * Fills `out` with normal numbers of mean 0 and standard deviation `std` (Box and Muller 1958).
   *
   * A browser's logarithm, sine and cosine may differ from the program's in the last of 53 bits. The result is rounded to
   * 24 bits, so that one number in some hundred million differs, in its last bit.
   */
  normals(out: Float32Array, std: number): void {
    for (let i = 0; i < out.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
      const angle = 2 * Math.PI * this.unit();
      // The mean, 0, is added as the program adds it: without it a number could be -0.
      out[i] = 0 + std * (radius * Math.cos(angle));
      if (i + 1 < out.length) out[i + 1] = 0 + std * (radius * Math.sin(angle));
    }
  }
}
