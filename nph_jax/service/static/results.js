// What is nearest to a video, of the index or uploaded.

import { addressOf, bitsOf, change, go, hexOf, state, textOf, valuesOf } from './address.js';
import { fillLabels, result, squares } from './cards.js';
import { at, attempt, explain, say, show } from './dom.js';
import { moving, picture, still } from './media.js';
import { bodyOf, isFeatures, Refused, send } from './service.js';
import { labelsOf, NEAR, nameOf, percent } from './words.js';

const PAGE = 24;
const RERANK = 1000;
// By code, as long as this page is open: the file, and what was found with it.
const uploads = new Map();
let index = null;

export const isSearch = ({ id, code }) => id !== undefined || code !== undefined;

function parameters({ k = PAGE, radius, rank, label }) {
  const values = new URLSearchParams({ k: Math.min(Number(k), index.limits.k), bits: true });
  if (rank === 'rerank') {
    values.set('rerank', Math.min(Math.max(Number(k), RERANK), index.limits.k));
  } else if (rank !== undefined) {
    values.set('rank', rank);
  }
  if (radius !== undefined) values.set('radius', radius);
  if (label !== undefined) values.set('where', JSON.stringify({ labels: label }));
  return values;
}

export function search(wanted) {
  return show('Searching …', async () => {
    const { k, radius, rank, label } = wanted;
    const sent = uploads.get(wanted.code);
    let found = null;
    if (sent && (k ?? radius ?? rank ?? label) === undefined) [found, sent.found] = [sent.found, null];
    found ??= await ask(wanted);
    return () => draw(wanted, found);
  });
}

async function ask(wanted) {
  const { id, code, t, upload: key } = wanted;
  const post = (address, body) => send('POST', `${address}?${parameters(wanted)}`, JSON.stringify(body));
  if (id !== undefined) return post('search', { id: Number(id) });
  if (key !== undefined) {
    try {
      return await post('search/upload', { upload: key });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
    }
  }
  return post('search/code', { code: bitsOf(code), relaxed: t ? valuesOf(t) : null });
}

// Searches with a file, and goes to the address of its code.
export function upload(file) {
  if (!file || !index) return;
  const limit = index.limits.upload_bytes;
  if (!isFeatures(file) && index.no_videos) {
    explain(new Refused(501, index.no_videos));
  } else if (file.size > limit) {
    explain(new Refused(413, `${file.name} has ${(file.size / 2 ** 20).toFixed(0)} MiB, `
      + `but this service takes ${(limit / 2 ** 20).toFixed(0)} MiB at most; choose a smaller file.`));
  } else {
    show('Uploading …', async (progress) => {
      const address = isFeatures(file) ? 'search/features' : 'search/video';
      const found = await send('POST', `${address}?k=${PAGE}&bits=true`, bodyOf(file), (event) => {
        const share = Math.round(100 * event.loaded / event.total);
        progress(share < 100 ? `Uploading … ${share} %` : 'Reading the video …');
      });
      const { query } = found;
      const code = hexOf(query.code);
      uploads.set(code, { file, found });
      const t = query.relaxed && textOf(query.relaxed);
      return () => go(addressOf({ code, t, of: file.name, upload: query.upload }));
    });
  }
}

function draw(wanted, found) {
  const { query, results } = found;
  const name = wanted.of ?? nameOf({ id: wanted.id, ...query });
  const sent = uploads.get(wanted.code);
  at('query').hidden = false;
  at('query-name').textContent = name;
  fillLabels(at('query-labels'), labelsOf(query.metadata));
  at('query-stage').replaceChildren(stage(query, sent, name));
  at('add').hidden = !sent || index.read_only;
  drawCode(query.code);
  const shared = labelsOf(query.metadata);
  at('found').replaceChildren(...results.map((video, place) =>
    result(video, place + 1, index.num_bits, shared)));
  remark(wanted, found);
  const asked = Math.min(Number(wanted.k ?? PAGE), index.limits.k);
  at('more').hidden = results.length < asked || asked === index.limits.k;
  say('');
  drawFacts(found);
}

// A line where the results are not what one may take them for.
function remark(wanted, { query, results }) {
  const best = results[0]?.similarity ?? 0;
  const forgotten = index.moments && wanted.upload !== undefined && !query.upload;
  at('far').hidden = best >= NEAR && !forgotten;
  if (forgotten) {
    at('far').textContent = 'The service has forgotten this clip, and compared whole videos; '
      + 'choose the file again to see where in them it is.';
  } else {
    at('far').textContent = results.length
      ? `Nothing here is near: even the first is only ${percent(best)} alike, and so are strangers by chance.`
      : 'Nothing is within that.';
  }
}

function stage(query, sent, name) {
  if (query.id !== null) return still.matches ? picture([query.thumbnail], name) : moving(query);
  const shown = query.thumbnail ?? 'static/icon.svg';
  if (!sent || isFeatures(sent.file)) return picture([shown], '');
  const element = document.createElement('video');
  Object.assign(element, {
    src: URL.createObjectURL(sent.file), poster: shown, muted: true,
    loop: true, playsInline: true, autoplay: !still.matches, controls: true,
  });
  element.addEventListener('error', () => {
    URL.revokeObjectURL(element.src);
    element.replaceWith(picture([shown], `The middle of ${name}`));
  }, { once: true });
  return element;
}

function drawCode(code) {
  const places = [...code.keys()];
  const width = Math.min(code.length, 32);
  const rows = Math.ceil(code.length / width);
  at('query-code').replaceChildren();
  squares(at('query-code'), places.filter((place) => !code[place]), width, rows, 'off');
  squares(at('query-code'), places.filter((place) => code[place]), width, rows);
  at('query-code').setAttribute('aria-label', `Its code of ${code.length} bits`);
}

function drawFacts({ results, seconds }) {
  const time = seconds < 1 ? `${Math.ceil(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
  const known = results.filter((video) => video.relevant !== null);
  const right = known.filter((video) => video.relevant).length;
  at('query-facts').textContent = [`${results.length} results in ${time}`,
    `${index.num_bits} bits, by chance ${index.num_bits / 2} differ`,
    ...(known.length ? [`${right} of ${known.length} have its label`] : [])].join(' · ');
}

async function add() {
  const { code } = state();
  const { file } = uploads.get(code);
  at('add').disabled = true;
  const address = isFeatures(file) ? 'videos/features' : 'videos';
  const video = await attempt(() => send('POST', address, bodyOf(file), () => say('Adding …')));
  at('add').disabled = false;
  if (!video) return;
  dispatchEvent(new CustomEvent('added'));
  await go(addressOf({ id: video.id }), true);
  say(`${nameOf(video)} is in the library.`);
}

export function start(about) {
  index = about;
  at('radius').max = index.num_bits;
  at('rank').querySelectorAll('[value="asymmetric"], [value="rerank"]')
    .forEach((option) => { option.hidden = !index.rerank; });
  at('options').addEventListener('submit', (event) => event.preventDefault());
  at('radius').addEventListener('change', () => change({ radius: at('radius').value }));
  at('rank').addEventListener('change', () => change({ rank: at('rank').value }));
  at('more').addEventListener('click', () => {
    const now = state();
    if (isSearch(now)) change({ k: Number(now.k ?? PAGE) * 2 }, true);
  });
  at('add').addEventListener('click', add);
}
