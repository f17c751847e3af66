// What the gallery says: its tabs, its keys, and what to do where it has nothing to show.

const TABS = {given: 'These', sample: 'Sample', ranked: 'Ranked', selection: 'Selection', similar: 'Similar', borderline: 'Next to label', study: 'Study',
  unsure: 'Unsure', labelled: 'Labelled'}
const KEYS = [['j', 'k', 'next, previous'], ['space', 'play or stop'], ['y', 'n', 'u', 'yes, no, unsure'], ['z', 'undo'],
  ['Enter', 'closer look: context, zoom, speed'], ['x', 'mark it; y n u then judge all marked'], ['a', 'mark all on the page, or none'],
  ['m', 'more like this'], ['w', 'why this score?'], ['[', ']', 'previous, next page'], ['t', 'cards or table'], ['s', 'how to draw and play'], ['?', 'these keys']]
const SAID = {positive: 'yes', negative: 'no', unsure: 'unsure'}
const TEACH = {
  given: ['None of them', 'There is no sound in this table.'],
  selection: ['Nothing is selected', 'Draw around some points on the map, or click one. Their sounds appear here.'],
  ranked: ['No ranking yet', 'Make a class from a few sounds, and every other window is ranked by how much it is like them.'],
  unsure: ['Nothing unsure', 'Press u on a card that you cannot tell. Come back to it here, or show it to a colleague.'],
  labelled: ['No labels yet', 'Say yes or no to cards. Each of them is a label, kept with your name and the time.'],
  borderline: ['Nothing left to suggest', 'Every window that would teach more has been judged.'],
  study: ['All answered', 'How much there is stands on the left. More answers would not narrow it to less than ±1 %.'],
  similar: ['Nothing searched yet', 'Press m on a card, or drop a sound file on the search field.'],
}
