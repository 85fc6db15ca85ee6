// The learned activation of every layer, drawn on one scale.
const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 200;
const HEIGHT = 150;

function element(name, attributes, text = '') {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
}

function figure(number, { alphaP, alphaN, y }, x, low, high) {
    const across = (v) => ((v - x[0]) / (x.at(-1) - x[0])) * WIDTH;
    const up = (v) => HEIGHT - ((v - low) / (high - low)) * HEIGHT;
    const alphas = `αp ${alphaP.toFixed(3)}, αn ${alphaN.toFixed(3)}`;
    const label = `Layer ${number}: ${alphas}`;
    const points = x.map((v, i) => `${across(v).toFixed(1)},${up(y[i]).toFixed(1)}`).join(' ');
    const svg = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label });
    svg.append(
        element('rect', { class: 'frame', width: WIDTH, height: HEIGHT }),
        element('path', { class: 'axis', d: `M0 ${up(0)}H${WIDTH}M${across(0)} 0V${HEIGHT}` }),
        element('polyline', { class: 'curve', points }),
        element('text', { x: 4, y: HEIGHT - 4 }, `x = ${x[0]}`),
        element('text', { x: WIDTH - 4, y: HEIGHT - 4, 'text-anchor': 'end' }, `x = ${x.at(-1)}`),
        element('text', { x: across(0) - 4, y: 11, 'text-anchor': 'end' }, high.toFixed(1)),
    );
    const caption = document.createElement('figcaption');
    caption.textContent = label;
    const whole = document.createElement('figure');
    whole.append(svg, caption);
    return whole;
}

/// Fills `to` with a drawing for every layer, y of all reaching from the lowest to the highest.
export function drawCurves(to, { x, layers }) {
    const all = layers.flatMap(({ y }) => y).filter(Number.isFinite);
    const [lowest, high] = [Math.min(0, ...all), Math.max(0, ...all)];
    const low = lowest - 0.12 * (high - lowest); // room for the labels
    to.replaceChildren(...layers.map((layer, i) => figure(i, layer, x, low, high)));
}
