// A video as it moves: itself if the browser can play it, converted if not, and
// a few of its frames until then.

import { Refused, send } from './service.js';
import { nameOf } from './words.js';

export const still = matchMedia('(prefers-reduced-motion: reduce)');
const unplayable = new Set(); // addresses that this browser did not play
const POLL_MILLISECONDS = 1000;

export function picture(addresses, alt) {
  const [address, ...others] = addresses.filter(Boolean);
  const image = new Image();
  image.alt = alt;
  image.src = address;
  if (others.length) {
    image.addEventListener('error', () => {
      image.src = others[0];
      if (image.alt) image.alt = alt;
    }, { once: true });
  }
  return image;
}

// `onFailure` is called, once, where the browser has no picture of it.
function film(address, start, controls, onFailure) {
  const element = document.createElement('video');
  const fail = () => {
    unplayable.add(address);
    onFailure();
  };
  Object.assign(element, {
    src: start ? `${address}#t=${start}` : address,
    loop: true, muted: !controls, controls, playsInline: true, autoplay: true,
  });
  element.addEventListener('error', fail, { once: true });
  element.addEventListener('loadedmetadata', () => {
    if (!element.videoWidth) element.dispatchEvent(new Event('error'));
  });
  return element;
}

const frames = (video, alt) => picture([video.preview, video.thumbnail], alt);

// Without sound and controls, while someone looks at it.
export function moving(video) {
  if (!video.file || video.type.startsWith('image/')) {
    return picture([video.file, video.thumbnail], '');
  }
  if (unplayable.has(video.file)) return frames(video, '');
  const element = film(video.file, video.start, false,
    () => element.replaceWith(frames(video, '')));
  return element;
}

// Shows a video on `stage`; `tell` hears (words, share) of what it waits for.
export function play(video, stage, tell) {
  const name = nameOf(video);
  tell('');
  if (!video.file) {
    stage.replaceChildren(picture([video.thumbnail], `The code of ${name}`));
    tell('Its file is not on this machine; this is its code.');
  } else if (video.type.startsWith('image/')) {
    stage.replaceChildren(picture([video.file, video.thumbnail], name));
  } else if (unplayable.has(video.file)) {
    convert(video, stage, tell);
  } else {
    stage.replaceChildren(film(video.file, video.start, true,
      () => convert(video, stage, tell)));
  }
}

async function convert(video, stage, tell) {
  const image = frames(video, `Ten frames of ${nameOf(video)}`);
  const failed = (why) => tell(`This browser does not play the file; these are ten of its frames. ${why}`);
  stage.replaceChildren(image);
  try {
    for (;;) {
      const { share } = await send('POST', video.converted);
      if (!image.isConnected) return; // closed in the meantime
      if (share === 1) {
        tell('');
        stage.replaceChildren(film(video.converted, video.start, true, () => {
          stage.replaceChildren(image);
          failed('');
        }));
        return;
      }
      tell('This browser does not play the file as it is; it is being converted.', share);
      await new Promise((resolve) => { setTimeout(resolve, POLL_MILLISECONDS); });
      if (!image.isConnected) return;
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (image.isConnected) failed(error.message);
  }
}
