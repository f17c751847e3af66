// Spectrograms as Python draws them: the frames they stand in, and those that are at hand.

const playhead = () => h('div', {class: 'playhead', 'aria-hidden': 'true'})

// A picture with its frequency axis and its length, in the frame of a card or an example.
function fillFrame(frame, picture) {
  frame.classList.toggle('waiting', !picture)
  if (!picture) return
  if (picture.error) {
    frame.replaceChildren(h('p', {class: 'cause'}, picture.error), playhead())
    return
  }
  const last = picture.ticks.length - 1
  const axis = picture.ticks.map(([text, share], i) => h('span', {class: 'hz', style: {bottom: `${share * 100}%`}},
    i === last ? `${text} ${picture.unit}` : text))
  frame.replaceChildren(
    h('img', {src: picture.src, alt: `spectrogram, ${picture.seconds.toFixed(1)} seconds`, draggable: 'false'}), ...axis,
    h('span', {class: 's end'}, `${Number(picture.seconds.toFixed(2))} s`),
    picture.badge ? h('span', {class: 'speed', title: picture.words}, picture.badge) : '', playhead())
}

// Pictures by window and settings. What is asked for anew replaces what was wished for before.
function pictureShelf(model, send) {
  const kept = new Map()
  const name = (row, key = model.key) => `${row} ${key}`
  return {
    get: row => kept.get(name(row)),
    ask(rows) {
      const missing = [...new Set(rows)].filter(row => !kept.has(name(row)))
      if (missing.length) send('pictures', {rows: missing})
    },
    keep(message) {
      kept.set(name(message.row, message.key), message)
      if (kept.size > 600) kept.delete(kept.keys().next().value)
    },
  }
}

// How the session listens, as far as a sound depends on it: the theme is no part of that.
const heardAs = key => key.slice(0, key.lastIndexOf('/'))
