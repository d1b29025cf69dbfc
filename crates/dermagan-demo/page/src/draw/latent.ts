// The input of the generator: the same numbers as those of `dermagan_model::latent`, and walks between them as those of
// `dermagan sample --interpolate`.

import { Keyed } from './keyed.ts';

/** The lengths of a latent: of z, and of z with the noise. */
export interface Lengths {
  z_dim: number;
  latents: number;
}

/** The latent of image `seed`: z times the truncation, followed by the noise, which is not scaled. */
export function latent(seed: bigint, lengths: Lengths, truncation: number): Float32Array {
  const all = new Float32Array(lengths.latents);
  new Keyed(seed, 'latent').normals(all.subarray(0, lengths.z_dim), truncation);
  new Keyed(seed, 'noise').normals(all.subarray(lengths.z_dim), 1);
  return all;
}

/** The point at `t`, 0 to 1, of the walk from latent `a` to `b`: an arc for z, and another one for the noise. */
export function between(a: Float32Array, b: Float32Array, t: number, lengths: Lengths): Float32Array {
  const all = new Float32Array(lengths.latents);
  const z = lengths.z_dim;
  slerp(a.subarray(0, z), b.subarray(0, z), t, all.subarray(0, z));
  slerp(a.subarray(z), b.subarray(z), t, all.subarray(z));
  return all;
}

function lerp(a: Float32Array, b: Float32Array, t: number, out: Float32Array): void {
  out.forEach((_, i) => (out[i] = (a[i] ?? 0) * (1 - t) + (b[i] ?? 0) * t));
}

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

/** Makes `v` a unit vector, unless it is zero, and returns its length. */
function normalise(v: Float64Array): number {
  const length = Math.sqrt(dot(v, v));
  if (length > 0) v.forEach((value, i) => (v[i] = value / length));
  return length;
}

/** Spherical interpolation, as in `dermagan-generate/src/slerp.rs`. Equal and zero vectors are interpolated linearly. */
function slerp(a: Float32Array, b: Float32Array, t: number, out: Float32Array): void {
  const [from, to] = [Float64Array.from(a), Float64Array.from(b)];
  const [fromLength, toLength] = [normalise(from), normalise(to)];
  const cosine = dot(from, to);
  const normal = to.map((value, i) => value - cosine * (from[i] ?? 0));
  const sine = normalise(normal);
  // Latents of two seeds are never opposite.
  if (fromLength === 0 || toLength === 0 || sine < 1e-9) return lerp(a, b, t, out);
  const angle = t * Math.atan2(sine, cosine);
  const length = fromLength * (1 - t) + toLength * t;
  out.forEach((_, i) => {
    out[i] = ((from[i] ?? 0) * Math.cos(angle) + (normal[i] ?? 0) * Math.sin(angle)) * length;
  });
}
