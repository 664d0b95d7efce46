// A video in a grid: its picture, which moves while looked at, and its name.

import { addressOf, change } from './address.js';
import { at, make } from './dom.js';
import { moving, still } from './media.js';
import { alike, clock, labelsOf, nameOf, percent, place } from './words.js';

export function fillLabels(list, labels, shared = []) {
  list.replaceChildren(...labels.map((text) =>
    make('li', { text, className: shared.includes(text) ? 'shared' : '' })));
}

// A square for each of the places of `path`, so many to a row.
export function squares(svg, places, width, height = 1, className = '') {
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  const edge = height > 1 ? 0.88 : 0.9;
  path.setAttribute('d', places.map((at) =>
    `M${at % width} ${Math.floor(at / width)}h${edge}v${edge}h-${edge}z`).join(''));
  path.setAttribute('class', className);
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.append(path);
}

export function card(video) {
  const item = at('card').content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(`.${name}`);
  const name = nameOf(video);
  item.dataset.id = video.id;
  part('open').firstElementChild.src = video.thumbnail;
  part('open').firstElementChild.alt = `Play ${name}`;
  part('open').addEventListener('click', () => {
    change({ play: video.id, start: video.start });
  });
  moveWhileLookedAt(part('open'), video);
  part('name').textContent = name;
  part('name').title = video.metadata.path ?? name;
  part('length').textContent = clock(video.metadata.duration);
  fillLabels(part('labels'), labelsOf(video.metadata));
  part('similar').href = addressOf({ id: video.id });
  part('similar').lastElementChild.textContent = ` to ${name}`;
  for (const unused of ['alike', 'distance']) part(unused).hidden = true;
  return item;
}

// A card of a search's result, of codes of so many bits.
export function result(video, rank, bits, shared) {
  const item = card(video);
  const part = (name) => item.querySelector(`.${name}`);
  for (const used of ['alike', 'distance']) part(used).hidden = false;
  part('rank').textContent = rank;
  part('alike').append(make('b', { text: percent(video.similarity) }),
    ` ${alike(video.similarity)}`);
  if (typeof video.start === 'number') {
    part('length').textContent = `${place(video.start)}–${place(video.end)}`;
  }
  part('number').textContent = `${video.distance} of ${bits} bits differ; by chance ${bits / 2} do`;
  part('bits').setAttribute('preserveAspectRatio', 'none');
  squares(part('bits'), video.differing_bits ?? [], bits);
  fillLabels(part('labels'), labelsOf(video.metadata), shared);
  if (video.relevant !== null) {
    item.classList.add(video.relevant ? 'right' : 'wrong');
    part('mark').textContent = video.relevant ? '✓ same label' : '✗ other label';
  }
  return item;
}

// The video itself, or frames of it, on top of the thumbnail.
function moveWhileLookedAt(button, video) {
  const stop = () => {
    button.querySelectorAll('img:not(:first-child), video').forEach((element) => element.remove());
  };
  const start = () => {
    if (!video.file || still.matches || button.childElementCount > 1) return;
    button.append(moving(video));
  };
  button.addEventListener('pointerenter', (event) => {
    if (event.pointerType === 'mouse') start();
  });
  button.addEventListener('focus', () => {
    if (button.matches(':focus-visible')) start();
  });
  button.addEventListener('pointerleave', stop);
  button.addEventListener('blur', stop);
}

// Arrow keys, Home and End lead through the pictures of a grid.
export function moveFocus(event) {
  const buttons = [...event.currentTarget.querySelectorAll('.open')];
  const from = buttons.indexOf(document.activeElement);
  if (from < 0) return;
  const columns = getComputedStyle(event.target.closest('.grid')).gridTemplateColumns.split(' ').length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const to = { Home: 0, End: buttons.length - 1 }[event.key] ?? from + (step[event.key] ?? NaN);
  if (!buttons[to]) return;
  event.preventDefault();
  buttons[to].focus();
}
