/** When a job runs, in UTC: `03:30` every day, `Sun 03:30` every week. */
export interface Schedule {
  /** 0 is Sunday. Default: every day. */
  readonly day?: number | undefined;
  /** Minutes since midnight. */
  readonly minute: number;
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const pattern = new RegExp(`^(?:(${days.join("|")}) )?([01]\\d|2[0-3]):([0-5]\\d)$`);

/** Returns undefined if the text is no schedule. */
export function parseSchedule(text: string): Schedule | undefined {
  const [, day, hours, minutes] = pattern.exec(text) ?? [];
  if (hours === undefined) return undefined;
  return {
    day: day === undefined ? undefined : days.indexOf(day),
    minute: Number(hours) * 60 + Number(minutes),
  };
}

/** The first time of a schedule after another time. */
export function nextAfter({ day, minute }: Schedule, time: Date): Date {
  const next = new Date(time);
  next.setUTCHours(0, minute, 0, 0);
  while (next <= time || (day !== undefined && next.getUTCDay() !== day)) next.setUTCDate(next.getUTCDate() + 1);
  return next;
}
