// Numbers and videos in words.

export const count = (number) => number.toLocaleString('en');

export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;

export function clock(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return '';
  const whole = Math.max(1, Math.round(value));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, '0');
  return hours ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

// A place in a video, which may be its beginning.
export const place = (value) => (value < 0.5 ? '0:00' : clock(value));

export function bytes(value) {
  return value < 1e6 ? `${Math.ceil(value / 1e3)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}

export function nameOf(video) {
  const { name, path } = video.metadata;
  return String(name || path || '').split('/').pop() || `Video ${video.id}`;
}

export function labelsOf(metadata) {
  const found = metadata.labels ?? [];
  return (Array.isArray(found) ? found : [found]).map(String);
}

const WORDS = [[0.85, 'almost the same'], [0.6, 'very similar'], [0.35, 'similar'],
  [0.2, 'a little similar'], [-2, 'hardly similar']];
// Below this, most libraries have others as near by chance.
export const NEAR = 0.2;

export const percent = (similarity) => `${Math.round(100 * Math.max(similarity, 0))} %`;

export const alike = (similarity) => WORDS.find(([least]) => similarity >= least)[1];
