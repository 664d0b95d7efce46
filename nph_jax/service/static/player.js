// One video, large: to watch, download, remove, or search with.

import { addressOf, change, state } from './address.js';
import { at, attempt, confirmed, explain, make, say } from './dom.js';
import { play } from './media.js';
import { Refused, send } from './service.js';
import { bytes, clock, labelsOf, nameOf } from './words.js';

let open = null; // the video that is shown
let before = null; // what had the focus

// Opens or closes, as the state says.
export async function follow({ play: id, start }) {
  if (id === undefined) {
    if (at('player').open) at('player').close();
    return;
  }
  if (at('player').open && String(open?.id) === id) return;
  const video = await attempt(() => send('GET', `videos/${id}`));
  if (!video || state().play !== id) return;
  draw({ ...video, start: start === undefined ? undefined : Number(start) });
}

function draw(video) {
  open = video;
  before = document.activeElement;
  const name = nameOf(video);
  const { metadata } = video;
  at('player-name').textContent = name;
  at('player-about').textContent = [clock(metadata.duration),
    metadata.bytes ? bytes(metadata.bytes) : '', labelsOf(metadata).join(', '),
    metadata.path === name ? '' : metadata.path].filter(Boolean).join(' · ');
  at('player-similar').href = addressOf({ id: video.id });
  at('player-download').hidden = !video.file;
  if (video.file) Object.assign(at('player-download'), { href: video.file, download: name });
  play(video, at('player-stage'), (words, share) => {
    at('player-note').textContent = words;
    at('player-progress').hidden = share === undefined;
    at('player-progress').value = share ?? 0;
  });
  if (!at('player').open) at('player').showModal();
  at('player-close').focus();
}

const close = () => change({ play: undefined, start: undefined });

// Takes a video out of the index; true if it is.
export async function remove(video) {
  try {
    await send('DELETE', `videos/${video.id}`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status !== 404) {
      explain(error);
      return false;
    }
  }
  document.querySelectorAll(`.card[data-id="${video.id}"]`).forEach((card) => card.remove());
  dispatchEvent(new CustomEvent('removed', { detail: video.id }));
  return true;
}

async function ask() {
  const video = open;
  const name = nameOf(video);
  // What came with `add` has a path; what was uploaded is kept by the service.
  const words = video.metadata.path
    ? `Remove ${name} from the index? Its file stays where it is.`
    : `Remove ${name}, and delete the file that was uploaded?`;
  if (!await confirmed(words, 'Remove')) return;
  if (!await remove(video)) return;
  const { id } = state();
  await (id === String(video.id) ? change({ id: undefined, play: undefined }, true)
    : change({ play: undefined, start: undefined }, true));
  say(`${name} is removed.`);
}

export function start(index) {
  at('player-remove').hidden = index.read_only;
  at('player-remove').addEventListener('click', ask);
  at('player-close').addEventListener('click', close);
  at('player').addEventListener('cancel', (event) => {
    event.preventDefault();
    close();
  });
  at('player').addEventListener('close', () => {
    at('player-stage').replaceChildren();
    open = null;
    if (before?.isConnected) before.focus();
  });
  at('player').addEventListener('click', (event) => {
    if (event.target === at('player')) close();
  });
}
