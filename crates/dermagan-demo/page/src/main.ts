// The page: reads the description, opens the generator and shows the chosen view.

import './page.css';

import { Engine } from './engine/engine.ts';
import type { Device, Opened, Pixels } from './engine/messages.ts';
import type { Shot } from './files/provenance.ts';
import { type Manifest, readManifest } from './manifest.ts';
import { type State, VIEWS, type View, hashOf, ignored, stateOf } from './state.ts';
import { type Actions, controls } from './ui/controls.ts';
import { make, part, say } from './ui/dom.ts';
import { compare } from './views/compare.ts';
import type { Draw } from './views/context.ts';
import { detail } from './views/detail.ts';
import { SEEDS, diagnoses } from './views/diagnoses.ts';
import { download } from './views/download.ts';
import { images, imagesIn } from './views/images.ts';
import { walk } from './views/walk.ts';

const DRAW: Record<View, Draw> = { images, diagnoses, walk, compare };
const NAMES: Record<View, string> = {
  images: 'Images',
  diagnoses: 'Diagnoses',
  walk: 'Walk',
  compare: 'Compare',
};
/** The size of onnxruntime-web for the CPU, in bytes. */
const RUNTIME_BYTES = 14e6;
/** How long the size of the window must rest before a grid is made anew, in milliseconds. */
const REST_MS = 250;

/** What the address asks for: `?device=wasm` or `webgpu`, `&threads=2`. */
function asked(): { device: Device | 'auto'; threads: number | undefined } {
  const given = new URLSearchParams(location.search);
  const device = given.get('device');
  const threads = Number(given.get('threads'));
  return {
    device: device === 'wasm' || device === 'webgpu' ? device : 'auto',
    threads: Number.isInteger(threads) && threads > 0 && threads <= 16 ? threads : undefined,
  };
}

/** Shows an error in place of the images. */
function fail(error: unknown): void {
  const words = error instanceof Error ? error.message : String(error);
  const next = 'Reload the page. If that does not help, the folder is damaged or not complete: write it anew with dermagan demo --out.';
  part('view').replaceChildren(make('p', { class: 'error', role: 'alert' }, `No images can be made: ${words}. ${next}`));
  say('');
}

/** The facts below the images. */
function showFacts(manifest: Manifest, opened: Opened): void {
  const device = opened.device === 'webgpu' ? 'the graphics card (WebGPU)' : `the CPU (WebAssembly, ${opened.threads === 1 ? '1 thread' : `${opened.threads} threads`})`;
  const generators = manifest.models.map(
    ({ title, sha256, data }, i) => `Generator${manifest.models.length > 1 ? ` ${'AB'[i]}` : ''}: ${title}, SHA-256 ${sha256.slice(0, 12)}…, trained on ${data}. `,
  );
  part('facts').textContent =
    `${generators.join('')}${manifest.producer}, onnxruntime-web ${manifest.runtime}, on ${device}. ` +
    `An image that the program computed was compared with this browser's: they agree.`;
  const notes = [...new Set(manifest.models.flatMap((model) => model.notes)), ...(opened.note === undefined ? [] : [opened.note])];
  part('notes').replaceChildren(...notes.map((note) => make('p', {}, note)));
}

function start(manifest: Manifest): void {
  const [model] = manifest.models;
  const { device, threads } = asked();
  const engine = new Engine(manifest, device, threads);
  const place = part('view');
  const views = VIEWS.filter((view) => (view !== 'diagnoses' || model.conditional) && (view !== 'compare' || manifest.models.length === 2));
  part('licence').textContent = [...new Set(manifest.models.map(({ licence }) => licence))].join('; ');

  const links = new Map(views.map((view) => [view, make('a', {}, NAMES[view])]));
  part('views').replaceChildren(...links.values());
  // Its address would be taken for what the user chose.
  part('skip').addEventListener('click', (event) => {
    event.preventDefault();
    place.focus();
  });

  let opened = false;
  let state: State = stateOf(location.hash, model);
  let running = new AbortController();
  // The state changes at once: two changes may follow each other before the browser says that the address has changed.
  const change = (changed: Partial<State>, replace = false) => {
    state = { ...state, ...changed };
    update(state);
    const hash = hashOf(state, model);
    if (!replace) location.hash = hash;
    else {
      history.replaceState(null, '', hash);
      show();
    }
  };
  const open = (shot: Shot, pixels: Pixels | undefined) => {
    detail(engine, model, shot, pixels, change).catch(fail);
  };
  // What is on the screen, or would be: the window may have changed since it was drawn.
  const shown = () => place.querySelectorAll('.tile').length || imagesIn(place, state.chosen === null && model.conditional);
  const actions: Actions = {
    change,
    count: () => (state.view === 'diagnoses' ? SEEDS : shown()),
    download: () => download(engine, model, state, shown()),
  };
  const update = controls(model, actions);
  const show = () => {
    running.abort();
    running = new AbortController();
    const unknown = ignored(location.hash, model);
    state = stateOf(location.hash, model);
    if (unknown.length > 0) history.replaceState(null, '', hashOf(state, model));
    part('ignored').textContent = unknown.length > 0 ? `Of the address ${unknown.join(', ').slice(0, 100)} was not used` : '';
    if (!views.includes(state.view)) state.view = 'images';
    const { signal } = running;
    update(state);
    links.forEach((link, view) => {
      link.href = hashOf({ ...state, view }, model);
      if (view === state.view) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    });
    // Who compares two generators is not told which is which.
    part('facts').hidden = state.view === 'compare';
    if (opened) say('Drawing …');
    document.title = `${NAMES[state.view]} · synthetic skin lesions`;
    const focused = document.activeElement?.id;
    const drawn = DRAW[state.view]({ engine, model, state, signal, place, change, open });
    // A control that the view made anew keeps the focus.
    if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
    drawn.catch((error: unknown) => {
      if (!signal.aborted) fail(error);
    });
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let width = window.innerWidth;
  window.addEventListener('resize', () => {
    // On a phone the height changes whenever the address bar hides.
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(timer);
    timer = setTimeout(() => state.view === 'images' && show(), REST_MS);
  });
  window.addEventListener('hashchange', () => {
    document.querySelectorAll<HTMLDialogElement>('dialog[open]').forEach((dialog) => dialog.close());
    show();
  });
  say(`Loading the generator, some ${Math.round((model.graph_bytes + RUNTIME_BYTES) / 1e6)} MB …`);
  show();
  engine.open(0).then((done) => {
    opened = true;
    showFacts(manifest, done);
  }, fail);
}

readManifest().then(start).catch(fail);
