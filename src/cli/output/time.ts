/** A duration for people: `45 ms`, `2.3 s`, `4 min 05 s`, `3 h 12 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = ms / 1_000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const pad = (value: number): string => String(value).padStart(2, '0');

/** A moment as seen from `now` (milliseconds since the epoch): `just now`, `5 min ago`, `in 2 d`. */
export function relative(iso: string, now: number): string {
  const ms = Date.parse(iso) - now;
  if (Number.isNaN(ms)) return iso;
  const distance = Math.abs(ms);
  if (distance < 5_000) return 'just now';
  const [amount, unit] =
    distance < 60_000
      ? [distance / 1_000, 's']
      : distance < 3_600_000
        ? [distance / 60_000, 'min']
        : distance < 86_400_000
          ? [distance / 3_600_000, 'h']
          : [distance / 86_400_000, 'd'];
  const text = `${Math.floor(amount)} ${unit}`;
  return ms < 0 ? `${text} ago` : `in ${text}`;
}

/** Bytes for people: `812 B`, `3.4 MB`. */
export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length, Math.floor(Math.log10(count) / 3));
  return `${(count / 1_000 ** power).toFixed(1)} ${units[power - 1]}`;
}
