// The eight orientations of a square image, as in `dermagan_base::orientation`.

import { Keyed } from './keyed.ts';

/** A mirroring, followed by quarter turns counter-clockwise. */
export interface Orientation {
  mirror: boolean;
  quarters: number;
}

export const UPRIGHT: Orientation = { mirror: false, quarters: 0 };

/** The orientation of a seed's image. */
export function orientationOf(seed: bigint, turns: boolean): Orientation {
  if (!turns) return UPRIGHT;
  const random = new Keyed(seed, 'orientation');
  return { mirror: random.below(2) === 1, quarters: random.below(4) };
}

/** The orientation in words; `undefined` if the image stays as it is. */
export function inWords({ mirror, quarters }: Orientation): string | undefined {
  if (!mirror && quarters === 0) return undefined;
  return `${mirror ? 'mirrored, then ' : ''}${90 * quarters} degrees counter-clockwise`;
}

/**
 * The pixels of an image in an orientation, four bytes each, opaque. `planes`: three planes of side² bytes, red first, as
 * the generator gives them.
 */
export function oriented(planes: Uint8Array, side: number, { mirror, quarters }: Orientation): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(4 * side * side);
  const last = side - 1;
  for (let place = 0; place < side * side; place++) {
    let [x, y] = [place % side, Math.floor(place / side)];
    for (let i = 0; i < quarters; i++) [x, y] = [last - y, x];
    const source = y * side + (mirror ? last - x : x);
    for (let channel = 0; channel < 3; channel++) {
      pixels[4 * place + channel] = planes[channel * side * side + source] ?? 0;
    }
    pixels[4 * place + 3] = 255;
  }
  return pixels;
}
