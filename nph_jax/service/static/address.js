// The state of the page is its address: whoever has it sees the same.
//
//   ?name= ?label= ?sort=     which videos, in which order
//   ?id=                      what is searched with: a video,
//   ?code=&t=&of=&upload=     or an upload: its code, name, and the service's key
//   ?k= ?radius= ?rank=       and how
//   ?view=duplicates          copies
//   &play=                    the video in the player

export const state = () => Object.fromEntries(new URLSearchParams(location.search));

// An address with these values; empty ones are left out.
export function addressOf(values) {
  const given = Object.entries(values).filter(([, value]) => (value ?? '') !== '');
  return given.length ? `./?${new URLSearchParams(given)}` : './';
}

// What is shown, apart from the player.
export function viewOf({ play, ...rest }) {
  return addressOf(rest);
}

let route = () => {};

// `show` is called with the state whenever it has changed; `go` and `change`
// return what it does.
export function follow(show) {
  route = () => show(state());
  addEventListener('popstate', route);
  addEventListener('click', (event) => {
    const link = event.target.closest?.('a[data-inside]');
    const plain = !(event.button || event.ctrlKey || event.metaKey || event.shiftKey);
    if (!link || !plain) return;
    event.preventDefault();
    go(link.getAttribute('href'));
  });
}

export function go(address, replace = false) {
  history[replace ? 'replaceState' : 'pushState'](null, '', address);
  return route();
}

// The state with some values changed.
export function change(values, replace = false) {
  return go(addressOf({ ...state(), ...values }), replace);
}

// float32 values as text, and back.
export function textOf(values) {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

export function valuesOf(text) {
  const bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  return [...new Float32Array(bytes.buffer)];
}

// Bits as hexadecimal digits, and back.
export function hexOf(bits) {
  return bits.join('').replace(/.{4}/g, (four) => parseInt(four, 2).toString(16));
}

export function bitsOf(hex) {
  return [...hex].flatMap((digit) =>
    [...parseInt(digit, 16).toString(2).padStart(4, '0')].map(Number));
}
