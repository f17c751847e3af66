// Why a sound was found: the labelled sounds that speak for it and against it, to be heard beside it.

const whereOf = c => c.site || c.recording.split('/').pop()
const fullOf = c => [c.recording, `at ${c.at}`, c.iso].filter(Boolean).join('\n')
const weighed = x => x < 0.01 ? Number(x.toPrecision(1)).toString().replace(/^0/, '') : score(x)

// One node for each labelled sound of a message, by window; the number on it is its key.
function proofNodes(message, play) {
  const nodes = new Map()
  const most = Math.max(1e-9, ...message.proofs.map(p => Math.abs(p.weight ?? 0)))
  message.proofs.forEach((p, i) => {
    const against = p.weight !== null && p.weight < 0
    const weight = p.weight === null ? 'the only example' : `${against ? '−' : '+'}${weighed(Math.abs(p.weight))}`
    nodes.set(p.row, h('button', {class: against ? 'proof against' : 'proof', title: fullOf(p), onclick: () => play(p.row),
      'aria-label': `${against ? 'against' : 'for'} ${weight}: ${p.label}, ${whereOf(p)} ${p.time || p.at}; play`},
      h('div', {class: 'spectrogram waiting'}, playhead()), h('kbd', {}, i + 1),
      h('span', {class: 'line'}, h('b', {}, whereOf(p)), h('span', {class: 'quiet'}, p.time ? p.time.slice(0, 5) : p.at)),
      h('span', {class: 'line quiet'}, h('span', {}, `${against ? 'against' : 'for'}: ${p.label}`),
        h('span', {class: 'weight'}, p.weight === null ? '' : weight)),
      h('div', {class: 'meter'}, h('i', {style: {width: `${Math.abs(p.weight ?? most) / most * 100}%`}}))))
  })
  return nodes
}

// What is looked at and how it scores, in words.
function whyWords(target, value, threshold) {
  if (!target || value === null || value === undefined) return ''
  return `Scores ${tiny(value)} for ${target.name}, ${value >= threshold ? 'at or above' : 'below'} the threshold of ${score(threshold)}. `
}
