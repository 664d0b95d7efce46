// Copies, group by group: which one is kept, and which are none.

import { card } from './cards.js';
import { at, attempt, confirmed, make, say, show } from './dom.js';
import { remove } from './player.js';
import { send } from './service.js';
import { bytes, clock, nameOf, plural } from './words.js';

let index = null;

export function duplicates() {
  at('groups').replaceChildren();
  return show('Looking for copies …', async (progress) => {
    const start = Date.now();
    for (;;) {
      const found = await send('GET', 'duplicates'); // which takes its time
      if (found.results) return () => draw(found);
      const seconds = Math.round((Date.now() - start) / 1000);
      const words = `Looking for copies among ${plural(found.videos, 'video', 'videos')} … ${seconds} s`;
      if (progress(words) === false) return null; // nobody looks at it
    }
  });
}

function draw({ results, videos, false_pairs: expected }) {
  const groups = Map.groupBy?.(results, (row) => row.group) ?? grouped(results);
  at('groups').replaceChildren(...[...groups.values()].map(group));
  tell(videos);
  if (expected !== null && groups.size) {
    at('groups').append(make('p', {
      className: 'muted', text: `Among ${plural(videos, 'video', 'videos')}, `
        + `${expected.toPrecision(2)} pairs are expected to be here by mistake.`,
    }));
  }
}

function grouped(results) {
  const groups = new Map();
  for (const row of results) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return groups;
}

function tell() {
  const left = at('groups').querySelectorAll('.group').length;
  say(left ? plural(left, 'group of copies', 'groups of copies') : 'No copies.');
}

function group(rows) {
  const number = rows[0].group;
  const section = make('section', { className: 'group' });
  const title = make('h2', { id: `group-${number}`, text: `Group ${number}: ${rows.length} videos` });
  section.setAttribute('aria-labelledby', title.id);
  const list = make('ul', { className: 'grid' }, ...rows.map((row) => member(row, number)));
  section.append(title, list);
  if (!index.read_only) section.append(actions(section, rows));
  return section;
}

function member(row, number) {
  const item = card(row.video);
  const facts = [row.width ? `${row.width} × ${row.height}` : '', clock(row.duration),
    bytes(row.size), row.bit_rate ? `${Math.round(row.bit_rate / 1e3)} kbit/s` : ''];
  const why = row.why ? ` (${row.why})` : '';
  const input = make('input', { type: 'radio', name: `keep-${number}`, value: row.id, checked: row.keep });
  const keep = make('label', { className: 'keep' }, input, ' Keep',
    make('span', { className: 'visually-hidden', text: ` ${nameOf(row.video)}` }),
    make('span', { className: 'muted', text: why }));
  item.querySelector('.name').textContent = row.path;
  item.querySelector('.name').after(make('p', { className: 'facts', text: facts.filter(Boolean).join(' · ') }));
  item.querySelector('.similar').replaceWith(index.read_only
    ? make('p', { className: 'muted', text: row.why ? `Keep${why}` : '' }) : keep);
  item.classList.add('member');
  return item;
}

function actions(section, rows) {
  const others = make('button', { className: 'button primary', type: 'button', text: 'Remove the others' });
  const none = make('button', { className: 'button', type: 'button', text: 'These are no copies' });
  others.addEventListener('click', () => removeOthers(section, rows));
  none.addEventListener('click', () => reject(section, rows));
  return make('div', { className: 'row' }, others, none);
}

async function removeOthers(section, rows) {
  const kept = section.querySelector('input:checked').value;
  const gone = rows.filter((row) => String(row.id) !== kept);
  const names = gone.map((row) => row.path).join(', ');
  if (!await confirmed(`Remove ${names} from the index? Files of a folder stay where they are; `
    + 'uploaded ones are deleted.', `Remove ${plural(gone.length, 'video', 'videos')}`)) return;
  for (const row of gone) {
    if (!await remove(row.video)) return;
  }
  leave(section);
}

async function reject(section, rows) {
  const body = JSON.stringify({ ids: rows.map((row) => row.id) });
  const done = await attempt(async () => {
    await send('POST', 'duplicates/rejected', body);
    return true;
  });
  if (done) leave(section);
}

function leave(section) {
  const next = section.nextElementSibling ?? section.previousElementSibling;
  section.remove();
  tell();
  (next?.querySelector('.open') ?? at('main')).focus();
}

export function start(about) {
  index = about;
  at('to-duplicates').hidden = !index.duplicates;
}
