// The worker that computes images, so that the page stays quick.

import type { Model } from '../manifest.ts';
import type { Device, Opened, Pixels, Reply, Request } from './messages.ts';
import { Session, bytesOf, graphOf, hasGpu, runtimeOf } from './session.ts';

const sessions = new Map<number, Session>();
const inWords = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Opens a generator on a device and compares an image with the program's. */
async function on(device: Device, threads: number | undefined, model: Model, graph: Promise<Uint8Array>, check: Promise<Uint8Array>): Promise<Session> {
  const ort = await runtimeOf(device, threads);
  const session = await Session.open(device, ort, await graph, model);
  await session.check(await check);
  return session;
}

async function open(request: Request & { kind: 'open' }): Promise<Opened> {
  const model = request.manifest.models[request.model];
  if (!model) throw new Error(`there is no generator ${request.model}`);
  const [graph, check] = [graphOf(model), bytesOf(model.check)];
  const threads = self.crossOriginIsolated ? request.threads : 1;
  let note: string | undefined;
  if (request.device === 'webgpu' || (request.device === 'auto' && (await hasGpu()))) {
    try {
      const session = await on('webgpu', threads, model, graph, check);
      sessions.set(request.model, session);
      return { device: 'webgpu', threads: 0 };
    } catch (error) {
      note = `WebGPU is not used: ${inWords(error)}`;
    }
  }
  const session = await on('wasm', threads, model, graph, check);
  sessions.set(request.model, session);
  return { device: 'wasm', threads: session.threads, ...(note === undefined ? {} : { note }) };
}

async function answer(request: Request): Promise<Reply> {
  const { id } = request;
  try {
    if (request.kind === 'open') return { id, kind: 'opened', opened: await open(request) };
    const session = sessions.get(request.model);
    if (!session) throw new Error('the generator is not open');
    return { id, kind: 'drawn', images: await session.draw(request.items) };
  } catch (error) {
    // A graphics card may fail after hours, as when the system takes it away.
    const onGpu = request.kind === 'draw' && sessions.get(request.model)?.device === 'webgpu';
    const next = onGpu ? '. Reload the page, or add ?device=wasm to its address to compute on the CPU' : '';
    return { id, kind: 'failed', error: inWords(error) + next };
  }
}

// One request at a time: a session computes one batch at a time.
let last: Promise<void> = Promise.resolve();
self.addEventListener('message', ({ data }: MessageEvent<Request>) => {
  last = last.then(async () => {
    const reply = await answer(data);
    const images: Pixels[] = reply.kind === 'drawn' ? reply.images : [];
    self.postMessage(reply, { transfer: images.map((image) => image.buffer) });
  });
});
