// The page's side of the worker.

import type { Manifest } from '../manifest.ts';
import type { Device, Item, Opened, Pixels, Reply, Request } from './messages.ts';

type Open = Omit<Request & { kind: 'open' }, 'id'>;
type Draw = Omit<Request & { kind: 'draw' }, 'id'>;

/** The number of images in the first batches of a request, so that something is seen soon, and in all later ones. */
const FIRST = [1, 3, 4];
const BATCH = 8;

/** The generators of the page. */
export class Engine {
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #opened = new Map<number, Promise<Opened>>();
  #count = 0;

  constructor(
    readonly manifest: Manifest,
    private readonly device: Device | 'auto',
    private readonly threads: number | undefined,
  ) {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      this.#waiting.get(data.id)?.(data);
      this.#waiting.delete(data.id);
    });
    this.#worker.addEventListener('error', (event) => {
      const error = `the worker stopped: ${event.message || 'worker.js cannot be loaded'}`;
      this.#waiting.forEach((give, id) => give({ id, kind: 'failed', error }));
      this.#waiting.clear();
    });
  }

  async #ask(request: Open | Draw): Promise<Exclude<Reply, { kind: 'failed' }>> {
    const id = this.#count++;
    const reply = await new Promise<Reply>((give) => {
      this.#waiting.set(id, give);
      this.#worker.postMessage({ ...request, id });
    });
    if (reply.kind === 'failed') throw new Error(reply.error);
    return reply;
  }

  /** Opens a generator, once. */
  open(model: number): Promise<Opened> {
    const { manifest, device, threads } = this;
    const opened =
      this.#opened.get(model) ??
      this.#ask({ kind: 'open', model, manifest, device, threads }).then((reply) => {
        if (reply.kind !== 'opened') throw new Error('an unexpected reply');
        return reply.opened;
      });
    this.#opened.set(model, opened);
    return opened;
  }

  /** Makes images and passes each to `give`, in order. Ends early, without an error, when `signal` says so. */
  async draw(model: number, items: Item[], signal: AbortSignal, give: (pixels: Pixels, index: number) => void): Promise<void> {
    await this.open(model);
    let done = 0;
    for (let batch = 0; done < items.length && !signal.aborted; batch++) {
      const part = items.slice(done, done + (FIRST[batch] ?? BATCH));
      const reply = await this.#ask({ kind: 'draw', model, items: part });
      if (signal.aborted || reply.kind !== 'drawn') return;
      reply.images.forEach((pixels, i) => give(pixels, done + i));
      done += part.length;
    }
  }
}
