// Starts the page, and shows what its address says.

import * as address from './address.js';
import * as browsing from './browse.js';
import { moveFocus } from './cards.js';
import { at, attempt, explain, make } from './dom.js';
import * as copies from './duplicates.js';
import * as player from './player.js';
import * as results from './results.js';
import { send } from './service.js';
import { count } from './words.js';

const VIEWS = { browse: 'list', search: 'found', duplicates: 'groups' };
const TITLES = { browse: 'Videos', search: 'Most like it', duplicates: 'Duplicates' };
let view = null;
let shown = null;
let started = false;

function viewIn(state) {
  if (results.isSearch(state)) return 'search';
  return state.view === 'duplicates' ? 'duplicates' : 'browse';
}

async function route(state) {
  const wanted = address.viewOf(state);
  if (wanted !== shown) {
    if (view === 'browse') browsing.leave();
    view = viewIn(state);
    shown = wanted;
    arrange(state);
    await { browse: browsing.browse, search: results.search, duplicates: copies.duplicates }[view](state);
  }
  await player.follow(state);
}

function arrange(state) {
  for (const [name, id] of Object.entries(VIEWS)) at(id).hidden = name !== view;
  at('title').textContent = TITLES[view];
  document.title = `${TITLES[view]} – Video search`;
  at('tools').hidden = view !== 'browse';
  for (const id of ['query', 'far', 'more']) at(id).hidden = true;
  if (view === 'duplicates') at('chips').hidden = true;
  else browsing.drawChips(state.label);
  for (const [name, id] of [['browse', 'to-videos'], ['duplicates', 'to-duplicates']]) {
    if (name === view) at(id).setAttribute('aria-current', 'page');
    else at(id).removeAttribute('aria-current');
  }
  if (document.activeElement !== at('name')) at('name').value = state.name ?? '';
  at('sort').value = state.sort ?? '';
  at('radius').value = state.radius ?? '';
  at('rank').value = state.rank ?? '';
  if (view !== 'browse') scrollTo(0, 0);
}

function drawFacts(index) {
  const facts = { Videos: count(index.size), 'Bits of a code': index.num_bits, Engine: index.engine,
    Codes: [index.method, index.dataset].filter(Boolean).join(', from '), Network: index.backbone ?? 'none' };
  at('facts').replaceChildren(...Object.entries(facts).flatMap(([name, value]) =>
    [make('dt', { text: name }), make('dd', { text: value })]));
}

async function start() {
  if (started) { // signed in once more
    shown = null;
    await route(address.state());
    return;
  }
  const index = await attempt(() => send('GET', 'index'));
  if (!index) return;
  started = true;
  drawFacts(index);
  if (index.no_videos) {
    at('file-label').textContent = 'Search by frame features';
    at('drop-text').textContent = `of one video, .npy of ${index.num_frames} × ${index.feature_dim}`;
  }
  for (const part of [results, copies, player]) part.start(index);
  browsing.start(() => view === 'browse');
  address.follow(route);
  await route(address.state());
}

function frames() {
  document.body.classList.toggle('framed', at('frames').checked);
  localStorage.setItem('frames', at('frames').checked ? 'on' : '');
}

at('frames').checked = Boolean(localStorage.getItem('frames'));
frames();
at('frames').addEventListener('change', frames);
at('details').addEventListener('toggle', () => {
  document.body.classList.toggle('detailed', at('details').open);
});
at('file').addEventListener('change', () => {
  results.upload(at('file').files[0]);
  at('file').value = '';
});
for (const id of ['list', 'found']) at(id).addEventListener('keydown', moveFocus);
at('toast-close').addEventListener('click', () => { at('toast').hidden = true; });
at('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    await send('POST', 'session', JSON.stringify({ token: at('token').value }));
    at('sign-in').close();
    start();
  } catch (error) {
    at('sign-in-error').textContent = error.message;
  }
  at('token').value = '';
});
addEventListener('removed', () => browsing.forget());
addEventListener('added', () => browsing.stale());
addEventListener('keydown', (event) => {
  if (document.querySelector('dialog[open]')) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (event.key === '/' && !typing && view === 'browse') {
    event.preventDefault();
    at('name').focus();
  } else if (event.key === 'Escape') {
    if (!at('toast').hidden) at('toast').hidden = true;
    else if (view !== 'browse' && !typing) address.go('./');
  }
});
for (const name of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle('dragging', name === 'dragenter' || name === 'dragover');
    if (name === 'drop') results.upload(event.dataTransfer.files[0]);
  });
}
addEventListener('error', (event) => event.error && explain(event.error));
start();
