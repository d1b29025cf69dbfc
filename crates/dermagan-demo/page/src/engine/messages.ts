// What the page and its worker say to each other.

import type { Manifest } from '../manifest.ts';

export type Device = 'webgpu' | 'wasm';

/** One image to make: of a seed, or on the walk to another seed. */
export interface Item {
  seed: bigint;
  /** The index of the class; `null` if the seed draws it, or there is none. */
  chosen: number | null;
  truncation: number;
  /** The end of the walk, and the part of it that lies behind. */
  walk?: { to: bigint; t: number };
}

/** A request to the worker: open a generator, or make images with it. */
export type Request =
  | { id: number; kind: 'open'; model: number; manifest: Manifest; device: Device | 'auto'; threads: number | undefined }
  | { id: number; kind: 'draw'; model: number; items: Item[] };

/** What opening a generator led to. */
export interface Opened {
  device: Device;
  threads: number;
  /** Why the better device is not used. */
  note?: string;
}

/** The pixels of an image, four bytes each. */
export type Pixels = Uint8ClampedArray<ArrayBuffer>;

export type Reply =
  | { id: number; kind: 'opened'; opened: Opened }
  | { id: number; kind: 'drawn'; images: Pixels[] }
  | { id: number; kind: 'failed'; error: string };
