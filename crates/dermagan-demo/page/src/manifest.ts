// The description of the page, `demo.json`, which the program writes (`dermagan-demo/src/model.rs`).

import { Keyed } from './draw/keyed.ts';
import type { Lengths } from './draw/latent.ts';

/** A class of a generator. */
export interface Class {
  /** The code in the names of files; `null` for images without a label. */
  code: string | null;
  name: string;
  about: string;
  /** Number of training images. */
  images: number;
}

/** A generator. */
export interface Model extends Lengths {
  title: string;
  graph: string;
  graph_sha256: string;
  graph_bytes: number;
  sha256: string;
  side: number;
  turns: boolean;
  conditional: boolean;
  classes: Class[];
  licence: string;
  data: string;
  kimg: number | null;
  notes: string[];
  text: [string, string][];
  passport: Record<string, unknown>;
  check: string;
  check_seed: number;
  check_class: number | null;
}

export interface Manifest {
  kind: string;
  producer: string;
  runtime: string;
  models: [Model, ...Model[]];
}

/** The mark of the description of a page of this version (`dermagan-demo/src/page.rs`). */
const KIND = 'dermagan demo';

/** Reads the description from the folder of the page. */
export async function readManifest(): Promise<Manifest> {
  const answer = await fetch(new URL('demo.json', self.location.href));
  if (!answer.ok) throw new Error(`demo.json: the server answers ${answer.status}`);
  const manifest = (await answer.json()) as Partial<Manifest>;
  if (manifest.kind !== KIND || !manifest.models?.length) throw new Error('demo.json is not that of this page');
  return manifest as Manifest;
}

/** The index of an image's class: the chosen one, or the one that the seed draws. `null`: the generator has no classes. */
export function classIndex(model: Model, seed: bigint, chosen: number | null): number | null {
  if (!model.conditional) return null;
  if (chosen !== null) return chosen;
  const total = model.classes.reduce((sum, of) => sum + of.images, 0);
  let left = new Keyed(seed, 'class').below(Math.max(total, 1));
  return model.classes.findIndex((of) => {
    const here = left < of.images;
    left -= of.images;
    return here;
  });
}

/** The class of an image; `undefined` if nothing is known about it. */
export function classOf(model: Model, seed: bigint, chosen: number | null): Class | undefined {
  const index = classIndex(model, seed, chosen);
  // A generator of one class always makes that class.
  return index === null ? (model.classes.length === 1 ? model.classes[0] : undefined) : model.classes[index];
}
