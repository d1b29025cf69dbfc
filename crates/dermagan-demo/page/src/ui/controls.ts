// The controls above the images: diagnosis, seed and truncation.

import type { Model } from '../manifest.ts';
import { type State, moved, parseSeed, randomSeed } from '../state.ts';
import { make, part } from './dom.ts';

/** How long the slider must rest before images are made, in milliseconds. */
const REST_MS = 120;

export interface Actions {
  /** `replace`: the address changes without a step in the browser's history. */
  change: (part: Partial<State>, replace?: boolean) => void;
  /** The number of images of the present view, by which the seed moves on. */
  count: () => number;
  download: () => void;
}

/** The buttons of the diagnoses. */
function classes(model: Model, change: Actions['change']): HTMLElement {
  const option = (value: string, name: string, about: string, chosen: number | null) =>
    make(
      'label',
      { class: 'chip', title: about },
      make('input', { type: 'radio', name: 'class', value, change: () => change({ chosen }) }),
      make('span', {}, name),
    );
  return make(
    'fieldset',
    { id: 'classes', class: 'chips' },
    make('legend', {}, 'Diagnosis'),
    option('all', 'All', 'Each seed draws its diagnosis, as often as in the training images', null),
    ...model.classes.map(({ name, about }, i) => option(String(i), name, about, i)),
  );
}

/** Draws the controls and returns what brings them up to date with a state. */
export function controls(model: Model, { change, count, download }: Actions): (state: State) => void {
  const seed = make('input', { id: 'seed', type: 'text', inputmode: 'numeric', autocomplete: 'off', 'aria-describedby': 'seed-error' });
  const error = make('span', { id: 'seed-error', class: 'error', role: 'alert' });
  const slider = make('input', { id: 'truncation', type: 'range', min: 0, max: 1, step: 0.05 });
  const value = make('output', { for: 'truncation' });
  let present: State;
  seed.addEventListener('change', () => {
    const parsed = parseSeed(seed.value);
    error.textContent = parsed === undefined ? 'A seed is a whole number, 0 or more, such as 42' : '';
    seed.setAttribute('aria-invalid', String(parsed === undefined));
    if (parsed !== undefined) change({ seed: parsed });
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  slider.addEventListener('input', () => {
    value.textContent = Number(slider.value).toFixed(2);
    clearTimeout(timer);
    timer = setTimeout(() => change({ truncation: Number(slider.value) }, true), REST_MS);
  });
  const button = (id: string, words: string, click: () => void, main = false) =>
    make('button', { type: 'button', id, class: main ? 'main' : undefined, click }, words);
  // There is nothing before the image of seed 0.
  const back = () => change({ seed: present.seed < BigInt(count()) ? 0n : moved(present.seed, -count()) });
  const previous = make('button', { type: 'button', id: 'previous', 'aria-label': 'Previous', click: back }, '‹', make('span', {}, ' Previous'));
  const steps = make(
    'div',
    { class: 'row', id: 'steps', role: 'group', 'aria-label': 'Seeds' },
    make('span', { class: 'field' }, make('label', { for: 'seed' }, 'Seed'), seed),
    previous,
    button('next', 'Next ›', () => change({ seed: moved(present.seed, count()) }), true),
    button('random', 'Random', () => change({ seed: randomSeed() })),
    error,
  );
  const variety = make(
    'span',
    { class: 'field', title: 'Truncation: 1 gives the full variety, less gives images closer to the average' },
    make('label', { for: 'truncation' }, 'Variety'),
    slider,
    value,
  );
  const chips = model.conditional ? [classes(model, change)] : [];
  part('controls').replaceChildren(...chips, make('div', { class: 'row' }, steps, variety, button('set', 'Download a set …', download)));
  return (state) => {
    present = state;
    seed.value = String(state.seed);
    previous.disabled = state.seed === 0n;
    seed.removeAttribute('aria-invalid');
    error.textContent = '';
    slider.value = String(state.truncation);
    value.textContent = state.truncation.toFixed(2);
    const wanted = state.chosen === null ? 'all' : String(state.chosen);
    for (const input of document.querySelectorAll<HTMLInputElement>('#classes input')) {
      input.checked = input.value === wanted;
      // On a phone the diagnoses scroll sideways.
      if (input.checked) input.parentElement?.scrollIntoView({ block: 'nearest', inline: 'center' });
    }
    part('steps').hidden = state.view === 'walk' || state.view === 'compare';
    part('set').hidden = state.view !== 'images';
    const chipsElement = document.getElementById('classes');
    if (chipsElement) chipsElement.hidden = state.view === 'diagnoses';
  };
}
