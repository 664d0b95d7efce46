// Talking to the service. All addresses are relative: a proxy may have moved it.

export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

// What the service answers, or a Refused; `onProgress` hears of an upload.
export function send(method, address, body, onProgress) {
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
      else reject(new Refused(request.status, value?.detail
        ?? `The service answered with status ${request.status}.`));
    };
    request.send(body ?? null);
  });
}

export const isFeatures = (file) => file.name.endsWith('.npy');

// The body that a file is sent in.
export function bodyOf(file) {
  if (isFeatures(file)) return file;
  const form = new FormData();
  form.append('video', file);
  return form;
}
