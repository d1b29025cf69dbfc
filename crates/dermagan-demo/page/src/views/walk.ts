// A walk from one image to another through all images between them.

import type { Item, Pixels } from '../engine/messages.ts';
import { classIndex } from '../manifest.ts';
import { moved, parseSeed, randomSeed } from '../state.ts';
import { make, paintLarge, say } from '../ui/dom.ts';
import type { Context } from './context.ts';

/** The number of steps of a walk, and the time of a step in milliseconds. */
const STEPS = 48;
const STEP_MS = 60;

/** The steps in the order in which they are made: the ends, the middle, the quarters and so on, so that the slider works soon. */
export function order(steps: number): number[] {
  const all = new Set([0, steps]);
  for (let gap = steps / 2; gap >= 1; gap /= 2) for (let at = 0; at <= steps; at += gap) all.add(Math.round(at));
  for (let at = 0; at <= steps; at++) all.add(at);
  return [...all];
}

/** A field for a seed. */
function seedField(id: string, label: string, value: bigint, change: (seed: bigint) => void): HTMLElement {
  const input = make('input', { id, type: 'text', inputmode: 'numeric', autocomplete: 'off', value: String(value) });
  input.addEventListener('change', () => {
    const seed = parseSeed(input.value);
    if (seed === undefined) input.value = String(value);
    else change(seed);
  });
  return make('span', { class: 'field' }, make('label', { for: id }, label), input);
}

export async function walk({ engine, model, state, signal, place, change }: Context): Promise<void> {
  const { seed, truncation } = state;
  const to = state.to === seed ? moved(seed, 1) : state.to;
  // Both ends have one diagnosis: the chosen one, or that of the first seed.
  const chosen = classIndex(model, seed, state.chosen);
  const frames: (Pixels | undefined)[] = Array.from({ length: STEPS + 1 });
  const canvas = make('canvas', { class: 'large', role: 'img', width: 512, height: 512 });
  const slider = make('input', { id: 'position', type: 'range', min: 0, max: STEPS, value: 0, 'aria-label': 'Position on the walk' });
  const play = make('button', { type: 'button', id: 'play' }, 'Play');
  const name = chosen === null ? '' : `${model.classes[chosen]?.name}, `;

  const show = () => {
    const at = Number(slider.value);
    const percent = Math.round((100 * at) / STEPS);
    slider.setAttribute('aria-valuetext', `${percent} % of the way`);
    canvas.setAttribute('aria-label', `Synthetic image, ${name}${percent} % of the way from seed ${seed} to seed ${to}`);
    // The nearest step that is made already.
    const known = frames.flatMap((pixels, i) => (pixels ? [i] : []));
    const nearest = known.reduce((best, i) => (Math.abs(i - at) < Math.abs(best - at) ? i : best), known[0] ?? 0);
    const pixels = frames[nearest];
    if (pixels) paintLarge(canvas, pixels, model.side);
  };

  let timer: ReturnType<typeof setInterval> | undefined;
  let direction = 1;
  const pause = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = 'Play';
  };
  const step = () => {
    const at = Number(slider.value);
    if (at + direction > STEPS || at + direction < 0) direction = -direction;
    slider.value = String(at + direction);
    show();
  };
  play.addEventListener('click', () => {
    if (timer !== undefined) return pause();
    timer = setInterval(step, STEP_MS);
    play.textContent = 'Pause';
  });
  slider.addEventListener('input', () => {
    pause();
    show();
  });
  signal.addEventListener('abort', pause);

  place.replaceChildren(
    make(
      'div',
      { class: 'walk' },
      canvas,
      make('div', { class: 'ends' }, make('span', {}, `Seed ${seed}`), slider, make('span', {}, `Seed ${to}`)),
      make(
        'div',
        { class: 'row' },
        play,
        seedField('from-seed', 'From seed', seed, (value) => change({ seed: value })),
        seedField('to-seed', 'To seed', to, (value) => change({ to: value })),
        make('button', { type: 'button', id: 'walk-on', click: () => change({ seed: to, to: randomSeed() }) }, 'Walk on'),
      ),
    ),
  );
  show();
  const steps = order(STEPS);
  const items = steps.map((at): Item => ({ seed, chosen, truncation, walk: { to, t: at / STEPS } }));
  await engine.draw(0, items, signal, (pixels, i) => {
    frames[steps[i] ?? 0] = pixels;
    show();
  });
  if (!signal.aborted) say(`A walk from seed ${seed} to seed ${to}${chosen === null ? '' : `: ${model.classes[chosen]?.name}`}`);
}
