// Small pieces of the page. Everything that comes from an index or a file name
// is set as text, never as HTML.

import { Refused } from './service.js';

export const at = (id) => document.getElementById(id);

export function make(name, { text, className, ...values } = {}, ...children) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  Object.assign(element, values);
  element.append(...children);
  return element;
}

export const say = (words) => { at('status').textContent = words; };

export function explain(error) {
  if (error.status === 401) {
    if (!at('sign-in').open) at('sign-in').showModal();
    return;
  }
  at('toast-text').textContent = error.message;
  at('toast').hidden = false;
}

// Runs something the service may refuse, which is then explained.
export async function attempt(task) {
  try {
    return await task();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    explain(error);
    return undefined;
  }
}

let turn = 0; // answers to older questions than this are dropped

// Runs one task whose result is shown; a later one replaces it. Returns whether
// it was shown.
export async function show(words, task) {
  const mine = ++turn;
  const isLast = () => mine === turn;
  at('toast').hidden = true;
  say(words);
  document.body.classList.add('busy');
  try {
    const draw = await task((progress) => isLast() && say(progress));
    if (!isLast()) return false;
    say('');
    draw();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (isLast()) {
      say('');
      explain(error);
    }
    return false;
  } finally {
    if (isLast()) document.body.classList.remove('busy');
  }
}

// Asks before something is done; true if it is to be.
export function confirmed(words, yes) {
  const dialog = at('confirm');
  at('confirm-text').textContent = words;
  at('confirm-yes').textContent = yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
