// All videos: by name and label, in some order, more as one scrolls.

import { change } from './address.js';
import { card } from './cards.js';
import { at, attempt, make, say, show } from './dom.js';
import { send } from './service.js';
import { count, plural } from './words.js';

const PAGE = 60; // full rows, whatever the number of columns, which is 6 at most
const CHIPS = 12;
const TYPING_MILLISECONDS = 250;
let shown = null; // the question that the list answers
let scrolled = 0; // where one was when it was left
let loading = false;
let sight = null; // tells when `more` comes near

const question = ({ name = '', label, sort = '-added' }) => {
  const values = new URLSearchParams({ name, sort: sort.replace('-', ''), descending: sort.startsWith('-') });
  if (label !== undefined) values.set('label', label);
  return String(values);
};

const load = (offset) => send('GET', `videos?${shown}&offset=${offset}&limit=${PAGE}`);

function tell(total) {
  say(total ? plural(total, 'video', 'videos')
    : shown === question({}) ? 'None yet: choose a video, or run nph-jax add.' : 'None is like that.');
}

export async function browse(state) {
  const wanted = question(state);
  if (wanted === shown) { // as it was left
    at('more').hidden = !at('list').dataset.more;
    tell(Number(at('list').dataset.total));
    scrollTo(0, scrolled);
    return;
  }
  shown = wanted;
  at('list').replaceChildren();
  const done = await show('Loading …', async () => {
    const page = await load(0);
    return () => draw(page);
  });
  if (!done && shown === wanted) shown = null;
}

function draw(page) {
  const list = at('list');
  const cards = page.videos.map((video) => card(video));
  const last = list.lastElementChild;
  if (last) last.append(...cards.splice(0, PAGE - last.childElementCount));
  if (last === list.firstElementChild && last) { // what others will be like
    list.style.setProperty('--page', `${last.offsetHeight}px`);
  }
  if (cards.length) list.append(make('ul', { className: 'grid' }, ...cards));
  list.dataset.total = page.total;
  list.dataset.more = page.next === null ? '' : 'more';
  at('more').hidden = page.next === null;
  sight.disconnect();
  sight.observe(at('more')); // which may be near still
  tell(page.total);
}

async function more() {
  if (loading || at('list').hidden) return;
  loading = true;
  const asked = shown;
  // By what is shown, since some may have been removed.
  const page = await attempt(() => load(at('list').querySelectorAll('.card').length));
  loading = false;
  if (page && asked === shown && !at('list').hidden) draw(page);
}

// What is left when a video has gone.
export function forget() {
  for (const grid of at('list').children) {
    const next = grid.nextElementSibling?.firstElementChild;
    if (next && grid.childElementCount < PAGE) grid.append(next);
  }
  const total = Number(at('list').dataset.total) - 1;
  at('list').dataset.total = total;
  if (!at('list').hidden) tell(total);
}

// Another video is there: what is shown is not all any more.
export const stale = () => { shown = null; };

export const leave = () => { scrolled = scrollY; };

export async function drawChips(label) {
  const found = await attempt(() => send('GET', 'labels')) ?? [];
  const first = found.slice(0, CHIPS);
  if (label !== undefined && !first.some((one) => one.label === label)) {
    first.push(found.find((one) => one.label === label) ?? { label, videos: 0 });
  }
  at('chips').hidden = !first.length;
  at('chips').replaceChildren(...first.map((one) => chip(one, label)),
    ...(found.length > CHIPS ? [others(found.slice(CHIPS))] : []));
}

function chip(one, chosen) {
  const button = make('button', { className: 'chip', type: 'button' },
    `${one.label} `, make('span', { className: 'muted', text: count(one.videos) }));
  button.setAttribute('aria-pressed', String(one.label === chosen));
  button.addEventListener('click', () => {
    change({ label: one.label === chosen ? undefined : one.label });
  });
  return button;
}

function others(found) {
  const select = make('select', { className: 'chip' }, make('option', { value: '', text: 'Other labels' }),
    ...found.map((one) => make('option', { value: one.label, text: `${one.label} (${one.videos})` })));
  select.setAttribute('aria-label', 'Other labels');
  select.addEventListener('change', () => change({ label: select.value || undefined }));
  return select;
}

export function start(isBrowsing) {
  let typing = 0;
  at('tools').addEventListener('submit', (event) => event.preventDefault());
  at('name').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => change({ name: at('name').value }, true), TYPING_MILLISECONDS);
  });
  at('sort').addEventListener('change', () => change({ sort: at('sort').value }));
  at('more').addEventListener('click', () => isBrowsing() && more());
  sight = new IntersectionObserver((entries) => {
    if (isBrowsing() && entries.some((entry) => entry.isIntersecting)) more();
  }, { rootMargin: '1500px' });
}
