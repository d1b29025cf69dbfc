import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { Keyed } from '../src/draw/keyed.ts';
import { between, latent } from '../src/draw/latent.ts';
import { inWords, orientationOf, oriented } from '../src/draw/orientation.ts';
import { type Model, classIndex } from '../src/manifest.ts';

interface Vectors {
  z_dim: number;
  latents: number;
  images: number[];
  rows: { seed: string; truncation: number; first: number[]; sha256: string; mirror: boolean; quarters: number; class: number }[];
}

// Made by a test of the Rust crate: crates/dermagan-demo/tests/vectors.rs.
const vectors = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as Vectors;

test('latents have the bits of the program', () => {
  expect(vectors.rows.length).toBe(24);
  for (const { seed, truncation, first, sha256 } of vectors.rows) {
    const values = latent(BigInt(seed), vectors, truncation);
    expect([...values.slice(0, 4)]).toEqual(first.map(Math.fround));
    expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex'), `seed ${seed}`).toBe(sha256);
  }
});

test('a seed draws the orientation and the class of the program', () => {
  const model = { conditional: true, classes: vectors.images.map((images) => ({ images })) } as Model;
  for (const { seed, mirror, quarters, class: index } of vectors.rows) {
    expect(orientationOf(BigInt(seed), true)).toEqual({ mirror, quarters });
    expect(classIndex(model, BigInt(seed), null)).toBe(index);
    expect(classIndex(model, BigInt(seed), 3)).toBe(3);
  }
  expect(orientationOf(1n, false)).toEqual({ mirror: false, quarters: 0 });
});

test('a long stream has no gap between its parts', () => {
  const [one, two] = [new Float32Array(1000), new Float32Array(999)];
  new Keyed(7n, 'latent').normals(one, 1);
  new Keyed(7n, 'latent').normals(two, 1);
  expect(two).toEqual(one.subarray(0, 999));
  expect(new Set(one).size).toBeGreaterThan(990);
});

test('a walk begins and ends at its latents, and its arc keeps their length', () => {
  const lengths = { z_dim: 100, latents: 164 };
  const [a, b] = [latent(1n, lengths, 1), latent(2n, lengths, 1)];
  const off = (x: Float32Array, y: Float32Array) => Math.max(...x.map((value, i) => Math.abs(value - (y[i] ?? 0))));
  expect(off(between(a, b, 0, lengths), a)).toBeLessThan(1e-6);
  expect(off(between(a, b, 1, lengths), b)).toBeLessThan(1e-6);
  const length = (v: Float32Array) => Math.hypot(...v.subarray(0, 100));
  const middle = length(between(a, b, 0.5, lengths));
  expect(middle).toBeCloseTo((length(a) + length(b)) / 2, 3);
  expect(off(between(a, a, 0.3, lengths), a)).toBeLessThan(1e-6);
});

test('orientations move pixels as those of the program', () => {
  const planes = new Uint8Array([0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]);
  const red = (mirror: boolean, quarters: number) => [...oriented(planes, 2, { mirror, quarters })].filter((_, i) => i % 4 === 0);
  expect(red(false, 0)).toEqual([0, 1, 2, 3]);
  expect(red(true, 0)).toEqual([1, 0, 3, 2]);
  expect(red(false, 1)).toEqual([1, 3, 0, 2]);
  expect(red(true, 1)).toEqual([0, 2, 1, 3]);
  expect([...oriented(planes, 2, { mirror: false, quarters: 0 })].slice(0, 4)).toEqual([0, 10, 20, 255]);
  expect(inWords({ mirror: true, quarters: 3 })).toBe('mirrored, then 270 degrees counter-clockwise');
  expect(inWords({ mirror: false, quarters: 0 })).toBeUndefined();
});
