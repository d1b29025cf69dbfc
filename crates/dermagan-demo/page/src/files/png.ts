// PNG files with text. The text comes before the pixels, where every reader looks for it; `canvas.toBlob` writes none.

import { zlibSync } from 'fflate';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const joined = (parts: ArrayLike<number>[]) => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};

const number = (value: number) => new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value]);

function chunk(kind: string, data: ArrayLike<number>): Uint8Array {
  const body = joined([new TextEncoder().encode(kind), data]);
  return joined([number(data.length), body, number(crc32(body))]);
}

/** A text chunk: `tEXt` for ASCII, else `iTXt`, as the program writes them. */
function textChunk(keyword: string, value: string): Uint8Array {
  const bytes = new TextEncoder();
  const isAscii = /^[\x00-\x7f]*$/.test(value);
  const between = isAscii ? [0] : [0, 0, 0, 0, 0];
  return chunk(isAscii ? 'tEXt' : 'iTXt', joined([bytes.encode(keyword), between, bytes.encode(value)]));
}

/** A PNG file of a square image. `pixels`: four bytes each, of which the last is left out. */
export function png(pixels: Uint8ClampedArray, side: number, text: [string, string][]): Uint8Array<ArrayBuffer> {
  const rows = new Uint8Array(side * (3 * side + 1));
  let at = 0;
  for (let y = 0; y < side; y++) {
    // Filter 2: each byte is the difference from the one above.
    rows[at++] = 2;
    for (let x = 0; x < side; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const place = 4 * (y * side + x) + channel;
        rows[at++] = (pixels[place] ?? 0) - (y > 0 ? (pixels[place - 4 * side] ?? 0) : 0);
      }
    }
  }
  const header = joined([number(side), number(side), [8, 2, 0, 0, 0]]);
  return joined([
    SIGNATURE,
    chunk('IHDR', header),
    ...text.map(([keyword, value]) => textChunk(keyword, value)),
    chunk('IDAT', zlibSync(rows, { level: 6 })),
    chunk('IEND', []),
  ]);
}
