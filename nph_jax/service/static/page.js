'use strict';
// Everything that comes from an index or a file name is set as text, never as
// HTML.
(() => {
  const PAGE = 24;
  const RERANK = 200;
  const at = (id) => document.getElementById(id);
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let index = null; // what /index says
  let query = null; // what is searched with: {id} or {file}
  let starts = [-1]; // start_after of each page up to the one that is shown
  let turn = 0; // answers to older questions than this are dropped

  // --- talking to the service

  class Refused extends Error {
    constructor(status, sentence) {
      super(sentence);
      this.status = status;
    }
  }

  function send(method, address, body, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, address);
      request.responseType = 'text';
      if (typeof body === 'string') {
        request.setRequestHeader('Content-Type', 'application/json');
      } else if (body instanceof File) {
        request.setRequestHeader('Content-Type', 'application/x-npy');
      }
      request.upload.onprogress = (event) => onProgress?.(event);
      request.onerror = () => reject(new Refused(0,
        'The service did not answer, or refused the upload before its end.'));
      request.onload = () => {
        let value = null;
        try { value = JSON.parse(request.responseText || 'null'); } catch { /* no JSON */ }
        if (request.status < 400) resolve(value);
        else reject(new Refused(request.status, value?.error
          ?? `The service answered with status ${request.status}.`));
      };
      request.send(body ?? null);
    });
  }

  function explain(error) {
    if (error.status === 401) {
      if (!at('sign-in').open) at('sign-in').showModal();
      return;
    }
    at('toast-text').textContent = error.message;
    at('toast').hidden = false;
  }

  // Runs one task whose result is shown; a later one replaces it.
  async function show(words, task) {
    const mine = ++turn;
    const before = document.body.classList.contains('busy') ? '' : at('status').textContent;
    at('toast').hidden = true;
    at('status').textContent = words;
    document.body.classList.add('busy');
    try {
      const draw = await task();
      if (mine === turn) {
        at('status').textContent = '';
        draw();
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (mine === turn) {
        at('status').textContent = before;
        explain(error);
      }
    } finally {
      if (mine === turn) document.body.classList.remove('busy');
    }
  }

  // --- small pieces

  const count = (number) => number.toLocaleString('en');

  function seconds(value) {
    if (typeof value !== 'number' || !Number.isFinite(value)) return '';
    const whole = Math.max(1, Math.round(value));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
  }

  function nameOf(video) {
    const { name, path } = video.metadata;
    const full = String(name || path || '');
    return full.split('/').pop() || `Video ${video.id}`;
  }

  function labelsOf(metadata) {
    const found = metadata.labels ?? [];
    return (Array.isArray(found) ? found : [found]).map(String);
  }

  function fillLabels(list, labels, shared = []) {
    list.replaceChildren(...labels.map((label) => {
      const item = document.createElement('li');
      item.textContent = label;
      item.classList.toggle('shared', shared.includes(label));
      return item;
    }));
  }

  function squares(svg, places, width, height = 1, className = '') {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    const edge = height > 1 ? 0.88 : 0.9;
    path.setAttribute('d', places.map((place) =>
      `M${place % width} ${Math.floor(place / width)}h${edge}v${edge}h-${edge}z`).join(''));
    path.setAttribute('class', className);
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.append(path);
  }

  function media(video, controls) {
    if (!video.file) return picture(video.thumbnail);
    if (!video.playable) return picture(video.preview, video.thumbnail);
    const element = document.createElement('video');
    Object.assign(element, {
      src: video.file, loop: true, muted: !controls, controls,
      playsInline: true, autoplay: true,
    });
    element.addEventListener('error', () => {
      element.replaceWith(picture(video.preview, video.thumbnail));
    }, { once: true });
    return element;
  }

  function picture(address, otherwise) {
    const image = new Image();
    image.alt = '';
    image.src = address;
    if (otherwise) {
      image.addEventListener('error', () => { image.src = otherwise; }, { once: true });
    }
    return image;
  }

  // --- cards

  function card(video, rank, shared) {
    const item = at('card').content.cloneNode(true).firstElementChild;
    const part = (name) => item.querySelector(`.${name}`);
    const open = part('picture');
    const name = nameOf(video);
    part('picture').querySelector('img').src = video.thumbnail;
    part('name').textContent = name;
    part('name').title = video.metadata.path ?? name;
    part('length').textContent = seconds(video.metadata.duration);
    fillLabels(item.querySelector('.labels'), labelsOf(video.metadata), shared);
    item.dataset.id = video.id;
    let said = `Play ${name}`;
    if (rank) said += `, result ${rank}: ${distance(item, video, rank)}`;
    else part('distance').remove();
    open.setAttribute('aria-label', said);
    open.addEventListener('click', () => play(video));
    part('similar').addEventListener('click', () => search({ id: video.id }));
    part('similar').setAttribute('aria-label', `Find videos similar to ${name}`);
    moveWhileLookedAt(open, video);
    return item;
  }

  function distance(item, video, rank) {
    const bits = index.num_bits;
    const number = item.querySelector('.number');
    const bold = document.createElement('b');
    bold.textContent = video.distance;
    number.append(bold, ` of ${bits} bits differ`);
    const svg = item.querySelector('.bits');
    svg.setAttribute('preserveAspectRatio', 'none');
    squares(svg, video.differing_bits ?? [], bits);
    item.querySelector('.rank').textContent = rank;
    let words = `${video.distance} of ${bits} bits differ`;
    if (video.relevant !== null) {
      item.classList.add(video.relevant ? 'right' : 'wrong');
      item.querySelector('.mark').textContent = video.relevant ? '✓' : '✗';
      words += video.relevant ? ', same label' : ', other label';
    }
    return words;
  }

  // The video itself, or frames of it, on top of the thumbnail.
  function moveWhileLookedAt(button, video) {
    let moving = null;
    const start = () => {
      if (moving || !video.file || still.matches) return;
      moving = media(video, false);
      button.querySelector('img').after(moving);
    };
    const stop = () => {
      button.querySelectorAll('img:not(:first-child), video')
        .forEach((element) => element.remove());
      moving = null;
    };
    button.addEventListener('pointerenter', (event) => {
      if (event.pointerType === 'mouse') start();
    });
    button.addEventListener('pointerleave', stop);
    button.addEventListener('focus', () => {
      if (button.matches(':focus-visible')) start();
    });
    button.addEventListener('blur', stop);
  }

  function play(video) {
    at('player-stage').replaceChildren(media(video, true));
    at('player-name').textContent = nameOf(video);
    at('player-note').textContent = !video.file
      ? 'Its file is not on this machine; this is its code.'
      : video.playable ? '' : 'Browsers cannot play this format, so these are ten of its frames.';
    at('player-search').onclick = () => {
      at('player').close();
      search({ id: video.id });
    };
    at('player').showModal();
    at('player-close').focus();
  }

  // --- all videos

  function browse() {
    query = null;
    return show('Loading …', async () => {
      const start = starts[starts.length - 1];
      const page = await send('GET', `videos?limit=${PAGE}&start_after=${start}`);
      return () => {
        at('query').hidden = at('back').hidden = true;
        at('title').textContent = 'Indexed videos';
        at('list').replaceChildren(...page.videos.map((video) => card(video)));
        if (!page.total) at('status').textContent = 'None yet.';
        drawFacts(page.total);
        const first = (starts.length - 1) * PAGE;
        at('range').textContent = page.videos.length
          ? `${count(first + 1)}–${count(first + page.videos.length)} of ${count(page.total)}` : '';
        at('previous').disabled = starts.length === 1;
        at('next').disabled = page.next === null;
        at('next').onclick = () => { starts.push(page.next); turnPage(); };
        at('paging').hidden = page.next === null && starts.length === 1;
      };
    });
  }

  async function turnPage() {
    await browse();
    at('list').querySelector('.picture')?.focus();
    scrollTo(0, 0);
  }

  // --- searching

  function parameters() {
    const k = Math.min(Number(at('k').value), index.limits.k);
    const values = new URLSearchParams({ k, bits: true });
    if (at('rank').value) values.set('rank', at('rank').value);
    if (at('radius').value !== '') values.set('radius', at('radius').value);
    if (at('rerank').checked) {
      values.set('rerank', Math.max(k, Math.min(RERANK, index.limits.k)));
    }
    return values;
  }

  function search(wanted, remember = true) {
    query = wanted;
    if (remember && wanted.id !== undefined) history.pushState(null, '', `?id=${wanted.id}`);
    if (remember && wanted.file && location.search) history.pushState(null, '', './');
    const [address, body] = question(wanted);
    return show(wanted.file ? 'Uploading …' : 'Searching …', async () => {
      const mine = turn;
      const found = await send('POST', `${address}?${parameters()}`, body, (event) => {
        if (mine !== turn || !wanted.file || !event.lengthComputable) return;
        const share = Math.round(100 * event.loaded / event.total);
        at('status').textContent = share < 100
          ? `Uploading … ${share} %` : 'Reading the video …';
      });
      return () => drawFound(wanted, found);
    });
  }

  // An address, and what is sent there.
  function question({ id, file }) {
    if (!file) return ['search', JSON.stringify({ id })];
    if (file.name.endsWith('.npy')) return ['search/features', file];
    const form = new FormData();
    form.append('video', file);
    return ['search/video', form];
  }

  function drawFound(wanted, found) {
    const shared = labelsOf(found.query.metadata);
    const name = nameOf({
      id: wanted.id, metadata: { name: wanted.file?.name, ...found.query.metadata },
    });
    at('query').hidden = at('back').hidden = false;
    at('query-name').textContent = name;
    fillLabels(at('query-labels'), shared);
    at('query-stage').replaceChildren(queryPicture(wanted, found.query));
    const ones = [], zeros = [];
    found.query.code.forEach((bit, place) => (bit ? ones : zeros).push(place));
    const width = Math.min(found.query.code.length, 32);
    const svg = at('query-code');
    svg.replaceChildren();
    const rows = Math.ceil(found.query.code.length / width);
    squares(svg, zeros, width, rows, 'off');
    squares(svg, ones, width, rows);
    svg.setAttribute('aria-label', `Its code of ${found.query.code.length} bits`);
    at('title').textContent = 'Nearest videos';
    at('paging').hidden = true;
    at('list').replaceChildren(
      ...found.results.map((video, place) => card(video, place + 1, shared)));
    at('status').textContent = summary(found);
    at('list').focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  function summary(found) {
    const known = found.results.filter((video) => video.relevant !== null);
    const right = known.filter((video) => video.relevant).length;
    const time = found.seconds < 1 ? `${Math.ceil(found.seconds * 1000)} ms` : `${found.seconds.toFixed(1)} s`;
    const parts = [`${found.results.length} found in ${time}`];
    if (typeof found.results[0]?.score === 'number') parts.push('ordered by real values');
    if (known.length) parts.push(`${right} of ${known.length} with the query's label`);
    return parts.join(' · ');
  }

  function queryPicture(wanted, seen) {
    if (wanted.id !== undefined) return media(seen, false);
    if (!seen.thumbnail) return picture('static/icon.svg');
    const element = document.createElement('video');
    Object.assign(element, {
      src: URL.createObjectURL(wanted.file), poster: seen.thumbnail, muted: true,
      loop: true, playsInline: true, autoplay: !still.matches, controls: true,
    });
    element.addEventListener('error', () => {
      URL.revokeObjectURL(element.src);
      element.replaceWith(picture(seen.thumbnail));
    }, { once: true });
    return element;
  }

  function upload(file) {
    if (!file || !index) return;
    const features = file.name.endsWith('.npy');
    const limit = index.limits.upload_bytes;
    if (!features && index.no_videos) {
      explain(new Refused(501, index.no_videos));
    } else if (file.size > limit) {
      explain(new Refused(413, `${file.name} has ${(file.size / 2 ** 20).toFixed(0)} MiB, `
        + `but this service takes ${(limit / 2 ** 20).toFixed(0)} MiB at most; choose a smaller file.`));
    } else {
      search({ file });
    }
  }

  // --- start

  function drawFacts(size) {
    const facts = [[count(size), size === 1 ? 'video' : 'videos'],
      [index.num_bits, 'bits'], [index.engine, 'engine']];
    if (index.method) facts.push([index.method, 'codes']);
    at('facts').replaceChildren(...facts.map(([value, what]) => {
      const item = document.createElement('li');
      const bold = document.createElement('b');
      bold.textContent = value;
      item.append(bold, ` ${what}`);
      return item;
    }));
  }

  async function start() {
    try {
      index = await send('GET', 'index');
    } catch (error) {
      explain(error);
      return;
    }
    drawFacts(index.size);
    at('radius').max = index.num_bits;
    at('rerank-label').hidden = !index.rerank;
    if (index.no_videos) {
      document.querySelector('#drop label').textContent = 'Choose frame features';
      at('drop-text').textContent = `of one video, .npy of ${index.num_frames} × ${index.feature_dim}`;
    }
    await route();
  }

  function route() {
    const id = new URLSearchParams(location.search).get('id');
    return id !== null && /^\d+$/.test(id) ? search({ id: Number(id) }, false) : browse();
  }

  function home() {
    starts = [-1];
    history.pushState(null, '', './');
    return browse();
  }

  function moveFocus(event) {
    const buttons = [...at('list').querySelectorAll('.picture')];
    const place = buttons.indexOf(document.activeElement);
    if (place < 0) return;
    const top = buttons[0].getBoundingClientRect().top;
    const columns = buttons.filter((b) => b.getBoundingClientRect().top === top).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const target = { Home: 0, End: buttons.length - 1 }[event.key]
      ?? place + (step[event.key] ?? NaN);
    if (!buttons[target]) return;
    event.preventDefault();
    buttons[target].focus();
  }

  at('home').addEventListener('click', (event) => { event.preventDefault(); home(); });
  at('back').addEventListener('click', home);
  at('previous').addEventListener('click', () => { starts.pop(); turnPage(); });
  at('file').addEventListener('change', () => {
    upload(at('file').files[0]);
    at('file').value = '';
  });
  at('options').addEventListener('submit', (event) => event.preventDefault());
  at('options').addEventListener('change', () => { if (query) search(query, false); });
  at('list').addEventListener('keydown', moveFocus);
  at('toast-close').addEventListener('click', () => { at('toast').hidden = true; });
  at('player-close').addEventListener('click', () => at('player').close());
  at('player').addEventListener('close', () => at('player-stage').replaceChildren());
  at('player').addEventListener('click', (event) => {
    if (event.target === at('player')) at('player').close();
  });
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
  addEventListener('popstate', route);
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
    if (!at('toast').hidden) at('toast').hidden = true;
    else if (query) home();
  });
  for (const name of ['dragenter', 'dragover', 'dragleave', 'drop']) {
    addEventListener(name, (event) => {
      event.preventDefault();
      document.body.classList.toggle('dragging', name.startsWith('drage') || name === 'dragover');
      if (name === 'drop') upload(event.dataTransfer.files[0]);
    });
  }
  start();
})();
