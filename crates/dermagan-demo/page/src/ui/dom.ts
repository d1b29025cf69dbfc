// Small helpers for elements.

type Attributes = Record<string, string | number | boolean | EventListener | undefined>;

/** Makes an element. Attributes that are functions are listeners, named without `on`; `true` sets, `false` leaves out. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

/** The element with this id, which is part of index.html. */
export function part(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element #${id}`);
  return found;
}

/** Says something to users of screen readers, and shows it. */
export function say(words: string): void {
  part('status').textContent = words;
}

/** Shows pixels on a canvas of their size. */
export function paint(canvas: HTMLCanvasElement, pixels: Uint8ClampedArray<ArrayBuffer>, side: number): void {
  canvas.width = side;
  canvas.height = side;
  canvas.getContext('2d')?.putImageData(new ImageData(pixels, side, side), 0, 0);
}

/** Shows pixels smoothly enlarged to about `size` pixels; as an image of `least` pixels, if that is less than its side. */
export function paintLarge(canvas: HTMLCanvasElement, pixels: Uint8ClampedArray<ArrayBuffer>, side: number, least = side, size = 512): void {
  let small = new OffscreenCanvas(side, side);
  small.getContext('2d')?.putImageData(new ImageData(pixels, side, side), 0, 0);
  if (least < side) {
    const less = new OffscreenCanvas(least, least);
    const reduced = less.getContext('2d');
    if (reduced) reduced.imageSmoothingQuality = 'high';
    reduced?.drawImage(small, 0, 0, least, least);
    small = less;
  }
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext('2d');
  if (!context) return;
  context.imageSmoothingQuality = 'high';
  context.drawImage(small, 0, 0, size, size);
}
