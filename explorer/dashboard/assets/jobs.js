// How long work is told: a bar, its share, what it is at, and how long it may still take.

const left_words = seconds => seconds === null || seconds === undefined ? ''
  : seconds < 8 ? 'a few seconds left' : seconds < 90 ? `${Math.round(seconds / 5) * 5} s left`
    : seconds < 5400 ? `${Math.round(seconds / 60)} min left` : seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h left` : `${Math.round(seconds / 86400)} days left`

const percent = share => `${Math.floor(share * 100)} %`

function job_bar(title, job) {
  return h('div', {class: 'progress', role: 'progressbar', 'aria-label': title, 'aria-valuemin': 0, 'aria-valuemax': 100,
    'aria-valuenow': Math.round(job.share * 100), 'aria-valuetext': [percent(job.share), job.words, left_words(job.left_s)].filter(Boolean).join(', ')},
  h('i', {style: {width: `${Math.max(0, Math.min(1, job.share)) * 100}%`}}))
}
