// A comparison of two generators: which of two images looks more like a photograph? The viewer is not told which is which.

import type { Pixels } from '../engine/messages.ts';
import type { Model } from '../manifest.ts';
import { randomSeed } from '../state.ts';
import { make, paintLarge, part, say } from '../ui/dom.ts';
import type { Context } from './context.ts';

const ROUNDS = 20;
/** The 97.5 % quantile of the normal distribution. */
const Z = 1.96;

/** The 95 % interval of a share (Wilson 1927), as percentages. */
export function interval(hits: number, of: number): [number, number] {
  const share = hits / of;
  const middle = share + (Z * Z) / (2 * of);
  const half = Z * Math.sqrt((share * (1 - share)) / of + (Z * Z) / (4 * of * of));
  const [low, high] = [middle - half, middle + half].map((end) => Math.abs(Math.round((100 * end) / (1 + (Z * Z) / of))));
  return [low ?? 0, high ?? 100];
}

/** The result in words. `chosen`: how often each generator was chosen; the rest of `rounds` was undecided. */
export function verdict(titles: [string, string], chosen: [number, number], rounds: number): string {
  const decided = chosen[0] + chosen[1];
  const undecided = rounds - decided === 0 ? '' : ` ${rounds - decided} without a decision.`;
  if (decided === 0) return `No decision in ${rounds} rounds.`;
  const [low, high] = interval(chosen[0], decided);
  const share = Math.round((100 * chosen[0]) / decided);
  const about = `Generator A (${titles[0]}) was chosen in ${chosen[0]} of ${decided} decisions: ${share} %, 95 % interval ${low} to ${high} %.`;
  const open = low <= 50 && high >= 50 ? ` ${rounds} rounds are too few to tell them apart.` : '';
  return `${about} Generator B (${titles[1]}) was chosen in ${chosen[1]}.${undecided}${open}`;
}

/** A random order of the two generators. */
const order = (): [number, number] => ((crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) % 2 ? [1, 0] : [0, 1]);

/** The index of a diagnosis in each generator, for one that both make; `null` if they share none. */
function shared(models: Model[], chosen: number | null, seed: bigint): (number | null)[] {
  const [one, other] = models;
  if (!one?.conditional || !other?.conditional) return [null, null];
  const pairs = one.classes.flatMap(({ code }, i) => {
    const j = other.classes.findIndex((of) => code !== null && of.code === code);
    return j < 0 || (chosen !== null && i !== chosen) ? [] : [[i, j]];
  });
  return pairs[Number(seed % BigInt(Math.max(pairs.length, 1)))] ?? [null, null];
}

export async function compare(context: Context): Promise<void> {
  const { engine, state, signal, place } = context;
  const models = engine.manifest.models;
  const count: [number, number] = [0, 0];
  say('Loading both generators …');
  await Promise.all([engine.open(0), engine.open(1)]);
  let rounds = 0;
  while (rounds < ROUNDS && !signal.aborted) {
    const seed = randomSeed();
    const classes = shared(models, state.chosen, seed);
    const sides = order();
    const images: (Pixels | undefined)[] = [];
    for (const model of sides) {
      const item = { seed, chosen: classes[model] ?? null, truncation: state.truncation };
      await engine.draw(model, [item], signal, (pixels) => (images[model] = pixels));
    }
    if (signal.aborted) return;
    const index = classes[0] ?? null;
    const name = index === null ? undefined : models[0].classes[index]?.name;
    const picked = await choice(context, rounds, name, sides.map((model) => [models[model], images[model]]));
    if (picked === undefined) return;
    const model = picked === null ? undefined : sides[picked];
    if (model === 0 || model === 1) count[model]++;
    rounds++;
  }
  if (signal.aborted) return;
  const words = verdict([models[0].title, models[1]?.title ?? ''], count, rounds);
  place.replaceChildren(
    make(
      'div',
      { class: 'compare' },
      make('h2', { tabindex: -1 }, 'Result'),
      make('p', {}, words),
      make('button', { type: 'button', click: () => void compare(context) }, 'Again'),
    ),
  );
  place.querySelector('h2')?.focus();
  part('facts').hidden = false;
  say('');
}

/** Shows two images and waits for a choice: 0 or 1, `null` for no difference, `undefined` when the view is left. */
function choice({ place, signal }: Context, round: number, name: string | undefined, sides: [Model | undefined, Pixels | undefined][]): Promise<0 | 1 | null | undefined> {
  return new Promise((give) => {
    signal.addEventListener('abort', () => give(undefined), { once: true });
    const label = ['Left', 'Right'] as const;
    // The one with more pixels would be known by its sharpness.
    const least = Math.min(...sides.map(([model]) => model?.side ?? Infinity));
    const figures = sides.map(([model, pixels], i) => {
      const canvas = make('canvas', { 'aria-hidden': 'true' });
      if (model && pixels) paintLarge(canvas, pixels, model.side, least);
      return make('button', { type: 'button', class: 'side', 'aria-label': `${label[i]} image`, click: () => give(i === 0 ? 0 : 1) }, canvas, make('span', {}, label[i] ?? ''));
    });
    const even = make('button', { type: 'button', click: () => give(null) }, 'No difference');
    const view = make(
      'div',
      { class: 'compare' },
      make('h2', { id: 'question', tabindex: -1 }, 'Which looks more like a photograph?'),
      make('p', {}, `${name ? `${name}. ` : ''}Two generators, one image each, of ${least} × ${least} pixels; both are synthetic. Another diagnosis or variety begins the rounds again.`),
      make('div', { class: 'sides', role: 'group', 'aria-labelledby': 'question' }, ...figures),
      even,
    );
    view.addEventListener('keydown', (event) => {
      // A key that is held is no decision.
      if (event.repeat && (event.key === 'Enter' || event.key === ' ')) event.preventDefault();
      const keys: Record<string, HTMLElement | undefined> = { ArrowLeft: figures[0], ArrowRight: figures[1], ArrowDown: even };
      const target = keys[event.key];
      if (!target) return;
      event.preventDefault();
      target.focus();
    });
    const hadFocus = place.contains(document.activeElement);
    place.replaceChildren(view);
    if (hadFocus || round > 0) view.querySelector('h2')?.focus();
    say(`Round ${round + 1} of ${ROUNDS}`);
  });
}
