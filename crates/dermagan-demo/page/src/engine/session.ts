// A generator in onnxruntime-web, on WebGPU or on the CPU by WebAssembly.

import type * as Ort from 'onnxruntime-common';

import { latent, between } from '../draw/latent.ts';
import { orientationOf, oriented } from '../draw/orientation.ts';
import { type Model, classIndex } from '../manifest.ts';
import type { Device, Item, Pixels } from './messages.ts';

/** The builds of onnxruntime-web for each device. */
const BUILDS: Record<Device, string> = { wasm: 'ort.wasm.min.mjs', webgpu: 'ort.webgpu.min.mjs' };
/** WebGPU compiles its programs for each number of images. So there are two: one image, and this many. */
const GPU_BATCH = 8;
/** The largest mean difference from the program's image that rounding explains, in levels of 0 to 255. */
const TOLERANCE = 0.5;

const within = (name: string) => new URL(name, self.location.href).href;

/** The bytes of a file of the page. */
export async function bytesOf(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(within(name));
  if (!answer.ok) throw new Error(`${name}: the server answers ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The bytes of a generator, compared with their SHA-256 where the browser has one: on HTTPS and on this machine. */
export async function graphOf(model: Model): Promise<Uint8Array> {
  const bytes = await bytesOf(model.graph);
  const { subtle } = crypto as { subtle?: SubtleCrypto };
  const digest = await subtle?.digest('SHA-256', bytes);
  const hex = digest && [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex && hex !== model.graph_sha256) throw new Error(`${model.graph} is not the file that was written: its SHA-256 differs`);
  return bytes;
}

/** Whether there is a WebGPU device that is not emulated on the CPU, which takes longer than WebAssembly. */
export async function hasGpu(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null> } };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return !!adapter && adapter.info?.isFallbackAdapter !== true;
}

/** The runtime of a device. */
export async function runtimeOf(device: Device, threads: number | undefined): Promise<typeof Ort> {
  const ort = (await import(/* @vite-ignore */ within(`runtime/${BUILDS[device]}`))) as typeof Ort;
  ort.env.wasm.wasmPaths = within('runtime/');
  ort.env.logLevel = 'error';
  if (threads !== undefined) ort.env.wasm.numThreads = threads;
  return ort;
}

/** A generator that is ready to make images. */
export class Session {
  private constructor(
    readonly device: Device,
    private readonly ort: typeof Ort,
    private readonly session: Ort.InferenceSession,
    private readonly model: Model,
  ) {}

  /** Opens a generator. `graph`: the bytes of its file. */
  static async open(device: Device, ort: typeof Ort, graph: Uint8Array, model: Model): Promise<Session> {
    // Warnings about nodes that stay on the CPU are expected: the last one converts to bytes.
    const options: Ort.InferenceSession.SessionOptions = { executionProviders: [device], logSeverityLevel: 3 };
    return new Session(device, ort, await ort.InferenceSession.create(graph, options), model);
  }

  get threads(): number {
    return this.device === 'wasm' ? (this.ort.env.wasm.numThreads ?? 1) : 0;
  }

  /** Compares the image of a known seed with the program's, and throws if they differ. */
  async check(expected: Uint8Array): Promise<void> {
    const item = { seed: BigInt(this.model.check_seed), chosen: this.model.check_class, truncation: 1 };
    const [pixels] = await this.draw([item]);
    if (!pixels) throw new Error('no image was made');
    if (expected.length !== 3 * this.model.side ** 2) throw new Error(`${this.model.check} has another length than an image`);
    let sum = 0;
    expected.forEach((value, i) => (sum += Math.abs(value - (pixels[4 * Math.floor(i / 3) + (i % 3)] ?? 0))));
    const mean = sum / expected.length;
    if (!(mean <= TOLERANCE)) throw new Error(`wrong images: they differ from the program's by ${mean.toFixed(1)} of 255 levels on average`);
  }

  /** Makes images. */
  async draw(items: Item[]): Promise<Pixels[]> {
    const { latents, side, conditional, turns } = this.model;
    const count = this.device === 'webgpu' && items.length > 1 ? Math.max(GPU_BATCH, items.length) : items.length;
    const z = new Float32Array(count * latents);
    const labels = new BigInt64Array(count);
    items.forEach((item, i) => {
      z.set(this.latentOf(item), i * latents);
      labels[i] = BigInt(classIndex(this.model, item.seed, item.chosen) ?? 0);
    });
    const { Tensor } = this.ort;
    const feeds: Record<string, Ort.Tensor> = { z: new Tensor('float32', z, [count, latents]) };
    if (conditional) feeds.label = new Tensor('int64', labels, [count]);
    const results = await this.session.run(feeds);
    const image = results.image;
    if (!image) throw new Error('the graph has no output named image');
    const bytes = (await image.getData()) as Uint8Array;
    image.dispose();
    const size = 3 * side * side;
    // A walk keeps the orientation of its beginning, as the program's does.
    return items.map(({ seed }, i) => oriented(bytes.subarray(i * size, (i + 1) * size), side, orientationOf(seed, turns)));
  }

  private latentOf({ seed, truncation, walk }: Item): Float32Array {
    const from = latent(seed, this.model, truncation);
    return walk ? between(from, latent(walk.to, this.model, truncation), walk.t, this.model) : from;
  }
}
