"""One visit of a page in a wide window that becomes narrow: all that the tests ask of it, found while it is open once.

A page is loaded as anyone loads it, under its own policy and with nothing in the browser's cache. It is looked at as it
opens, on paper, and with all that is folded opened, wide and narrow.
"""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
from browser import listen
from playwright.sync_api import Browser, Page

WIDE, PHONE, SHEET = 1280, 390, 680  # pixels; the last is a sheet of A4 without its margins
LAYOUTS = ("index", "book/09-sharing-neurons", "book/claims", "search")
PACKED = {".woff2", ".png", ".jpg"}  # what a server does not compress once more
OPEN = "document.querySelectorAll('details').forEach(fold => { fold.open = true; })"

# --- axe --------------------------------------------------------------------------------------------------------------

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
# All rules of axe for WCAG 2.2 AA and for good practice, and of its experiments the one that found faults here.
RULES = ["best-practice", "wcag21a", "wcag21aa", "wcag22aa", "wcag2a", "wcag2aa"]
ALSO = ["label-content-name-mismatch"]
# What axe says and we do not mend: the rule, the elements (a selector) of which it is no fault, and why.
ALLOWED = {
    "empty-table-header": "th:has(math)",  # the header is a formula: a screen reader reads MathML, axe does not
    # A box that scrolls must take the focus and have a name; a region would add it to the list of landmarks.
    "focus-order-semantics": '[role="group"][aria-label][tabindex="0"]',
}
# Contrast is most of axe's work. Texts of one look (colours, size, weight, all that is painted behind) have one
# contrast, so that axe sees the first of each: where something else lies over a text it says nothing anyhow.
LOOKS = """() => {
    const paint = tag => {
        const style = getComputedStyle(tag);
        return [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.mixBlendMode].join();
    };
    const known = new Map(), looks = new Set();
    const behind = tag => {
        if (!tag) return '';
        if (!known.has(tag)) {
            const above = behind(tag.parentElement), own = paint(tag);
            known.set(tag, own === paint(tag.parentElement ?? tag) && above ? above : `${above};${own}`);
        }
        return known.get(tag);
    };
    document.querySelectorAll('[data-look]').forEach(tag => tag.removeAttribute('data-look'));
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const tag = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || tag.closest('.katex-html') || !tag.checkVisibility()) continue;
        const style = getComputedStyle(tag), around = getComputedStyle(tag.parentElement);
        const look = [style.color, style.fontSize, style.fontWeight, style.textShadow, style.textDecorationLine,
            style.borderBottomStyle, around.color, tag.closest('a, button, label, summary')?.localName, behind(tag)];
        if (looks.has(look.join('|'))) continue;
        looks.add(look.join('|'));
        tag.setAttribute('data-look', '');
    }
}"""
# Of a formula axe reads the MathML; what KaTeX draws is hidden from screen readers and in the colour of its text.
CHECK = """([tags, also, allowed]) => {
    axe.configure({rules: [{id: 'color-contrast', selector: '[data-look], input, select, textarea'}]});
    const tagged = tags.length ? axe.getRules(tags) : []; // of no tags axe makes all rules
    const values = [...new Set([...tagged.map(rule => rule.ruleId), ...also])];
    const ours = (rule, node) => !(rule in allowed && document.querySelector(node.target[0]).matches(allowed[rule]));
    const options = {resultTypes: ['violations'], preload: false, runOnly: {type: 'rule', values}};
    return axe.run({exclude: ['.katex-html']}, options).then(found =>
        found.violations.flatMap(({id, nodes}) => nodes.filter(node => ours(id, node))
            .map(node => `${id}: ${node.target[0]} ${node.html.slice(0, 200)}`)));
}"""
COLOURS = ["color-contrast", "link-in-text-block"]  # of all rules those that the theme, light or dark, can change


# Colours have come to rest, and scrolling.js has named what scrolls.
SETTLED = """() => document.getAnimations().every(one => one.playState !== 'running') && [...document.querySelectorAll(
    `.bd-article :is(div.math, .katex-display, .pst-scrollable-table-container, .output.text_html, .highlight pre,
    .output pre)`)].every(box => (box.role === 'group') === (
        box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== 'visible'))"""


def settle(page: Page) -> None:
    """Wait until the page has come to rest, as long as that may take."""
    for _ in range(5):
        if page.evaluate(SETTLED):
            return
        page.wait_for_timeout(100)


def unfit(page: Page, tags: list[str] = RULES) -> list[str]:
    """What axe finds on the page as it stands, beyond what is allowed; without tags of rules the colours alone."""
    found: list[str] = []
    for pause in (0, 2000):  # on a busy machine the page comes to rest late
        page.wait_for_timeout(pause)
        settle(page)
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE)
        page.evaluate(LOOKS)
        found = page.evaluate(CHECK, [tags, ALSO if tags else COLOURS, ALLOWED])
        if not found:
            break
    return found


# --- Sizes and formulas -----------------------------------------------------------------------------------------------

TOO_WIDE = """() => {
    const all = selector => [...document.querySelectorAll(selector)].filter(box => box.checkVisibility());
    const text = box => (box.querySelector('annotation') ?? box).textContent.trim().slice(0, 60);
    const name = box => `${box.localName}.${box.className}: ${text(box)}`;
    const cut = box => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== 'visible';
    const edge = document.querySelector('article.bd-article')?.getBoundingClientRect().right + 1;
    return [
        ...['html', '.bd-main', '.bd-article-container'].filter(name => {
            const box = document.querySelector(name);
            return box && box.scrollWidth > box.clientWidth;
        }),
        ...all('article *:not(.katex *, .visually-hidden, .explore-said), .prev-next-area a').filter(cut).map(name),
        ...all('article :is(.katex-display, table, pre, pre .line)')
            .filter(box => box.getBoundingClientRect().right > edge).map(name),
    ];
}"""
BESIDE = """() => [...document.querySelectorAll('article div.math:has(.eqno)')].filter(box => {
    const [number, formula] = ['.eqno', '.katex-display'].map(part => box.querySelector(part).getBoundingClientRect());
    return number.left < formula.right - 1 && number.top < formula.bottom - 1;
}).map(box => box.id)"""
TORN = """() => [...document.querySelectorAll('article span.math')].filter(formula => {
    const after = formula.nextSibling, end = document.createRange();
    if (after?.nodeType !== Node.TEXT_NODE || !/^[.,;:)]/.test(after.data)) return false;
    end.setStart(after, 0);
    end.setEnd(after, 1);
    const mark = end.getBoundingClientRect(), last = [...formula.querySelector('.katex-html').getClientRects()].at(-1);
    return mark.width && last && mark.left < last.right - 1;
}).map(formula => formula.querySelector('annotation').textContent)"""
BLANK = """() => [...document.querySelectorAll('article :is(h1, h2, h3, h4, figcaption)')].filter(heading => {
    if (!heading.querySelector('.headerlink')) return false;
    const mark = heading.querySelector('.headerlink'), before = heading.getBoundingClientRect().height;
    mark.style.display = 'none';
    const after = heading.getBoundingClientRect().height;
    mark.style.display = '';
    return after < before;
}).map(heading => heading.textContent)"""
UNDRAWN = r"""() => [...document.querySelectorAll('body *:not(.katex, .katex *)')].flatMap(tag =>
    ['::before', '::after'].map(part => [tag, part, getComputedStyle(tag, part)])
    .filter(([tag, part, style]) => /[\ue000-\uf8ff]/.test(style.content) && style.display !== 'none')
    .map(([tag, part]) => tag.outerHTML.slice(0, 100) + part))"""
PICTURES = """images => images.map(image => {
    const style = getComputedStyle(image);
    return [style.filter, style.opacity, style.mixBlendMode, style.backgroundColor].join(' '); })"""


def too_wide(page: Page) -> list[str]:
    """What is wider than its room: the page, and on it a formula, a table, code, or all else that is cut or scrolls."""
    return page.evaluate(TOO_WIDE)


def misplaced(page: Page, width: int) -> list[str]:
    """Formulas under their number, or torn from the comma that follows; titles whose mark takes a line of its own."""
    faults = [f"{box} is under its number at {width}" for box in page.evaluate(BESIDE)]
    faults += [f"an empty line after {title} at {width}" for title in page.evaluate(BLANK)]
    return faults + [f"the comma after {tex} starts a line at {width}" for tex in page.evaluate(TORN)]


SHIFTED = """async () => {
    let sum = 0;
    const add = entry => { sum += entry.hadRecentInput ? 0 : entry.value; };
    new PerformanceObserver(list => list.getEntries().forEach(add)).observe({type: 'layout-shift', buffered: true});
    for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
        scrollTo(0, y);
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    }
    scrollTo(0, 0);
    await new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)));
    return sum;
}"""

# --- Paper ------------------------------------------------------------------------------------------------------------

SHOWN = """tags => tags.filter(tag => tag.checkVisibility({visibilityProperty: true}) && tag.getClientRects().length)
    .map(tag => tag.outerHTML.slice(0, 100))"""
# The colours of all letters, each with one text that has it.
INK = """() => {
    const article = document.querySelector('article.bd-article'), inks = {};
    const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const tag = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
        if (text && tag.checkVisibility()) inks[getComputedStyle(tag).color] ??= text.slice(0, 60);
    }
    return Object.entries(inks);
}"""
NOT_PRINTED = ("nav", "header", "button", "input", ".headerlink", ".prev-next-footer a", ".bd-sidebar", "#link-preview")


def contrast(colour: str) -> float:
    """Of letters on white, as WCAG has it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    light = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] + 0.05)


def on_paper(page: Page) -> list[str]:
    """What is wrong on a sheet: navigation, pale or cut text, a title or a solution that is missing."""
    faults = []
    if len(page.locator("h1").evaluate_all(SHOWN)) != 1:
        faults.append("not one title")
    for hidden in NOT_PRINTED:
        faults += [f"{hidden} is printed: {tag}" for tag in page.locator(hidden).evaluate_all(SHOWN)]
    faults += [f"{colour} is too pale: {text}" for colour, text in page.evaluate(INK) if contrast(colour) < 4.5]
    faults += [f"{box} is wider than the sheet" for box in too_wide(page)]
    solutions = page.locator("details.solution > p")
    if len(solutions.evaluate_all(SHOWN)) != solutions.count():
        faults.append("a solution stays folded")
    return faults


# --- The visit --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What one visit found.

    Attributes:
        faults: requests to elsewhere, requests that fail, and errors.
        theme: what the page takes itself for.
        weight: bytes on the wire of all that it loads before anyone touches it; counted in the light.
        wide: what does not fit the window, by its width, folded and opened.
        misplaced: formulas under their number or torn from a comma, titles followed by an empty line.
        undrawn: signs of the style sheets that no font has, since the site has no font of icons.
        pictures: how the theme changes pictures: filter, opacity, blending, background.
        unfit: what axe finds, by the window's width.
        paper: what is wrong when it is printed.
        shift: how far things have moved.
    """

    faults: list[str]
    theme: str
    weight: int
    wide: dict[int, list[str]]
    misplaced: list[str]
    undrawn: list[str]
    pictures: set[str]
    unfit: dict[int, list[str]]
    paper: list[str]
    shift: float


def slow(page: Page) -> None:
    """From now on the network is that of a phone far out: 1.6 Mbit/s, an answer takes 150 ms."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    speed = {"latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 90_000}  # bytes a second
    session.send("Network.emulateNetworkConditions", {"offline": False, **speed})


def shifted(page: Page) -> float:
    """How far things have moved that nobody touched, as the page opened and while it was scrolled to its end."""
    return page.evaluate(SHIFTED)


def sent(url: str, body: bytes) -> int:
    """Bytes on the wire."""
    return len(body) if Path(urlsplit(url).path).suffix in PACKED else len(gzip.compress(body))


def visit(browser: Browser, address: str, name: str, scheme: str) -> Seen:
    """Open the page, light or dark; what does not depend on the theme is looked at in the light.

    All of axe's rules in the light, wide and narrow. In the dark the colours, wide; narrow and on paper they are those
    of the style sheets alone, so that one page of each layout is enough.
    """
    light = scheme == "light"
    rules, both = RULES if light else [], light or name in LAYOUTS
    look = {"color_scheme": scheme, "viewport": {"width": WIDE, "height": 900}, "reduced_motion": "reduce"}
    with browser.new_context(**look) as context:
        page, faults, loaded = context.new_page(), [], {}
        listen(page, address, faults, f"{name}, {scheme}")
        if light:
            page.on("response", lambda answer: loaded.update({answer.url: answer.body()}))
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        page.evaluate("document.fonts.ready")
        weight = sum(sent(url, body) for url, body in loaded.items())
        shift = shifted(page)
        pictures = set(page.locator(".bd-article figure img").evaluate_all(PICTURES))
        undrawn = page.evaluate(UNDRAWN) if light else []
        bad = misplaced(page, WIDE)
        wide, found, paper = {WIDE: too_wide(page)}, {}, []
        if both and page.locator(".bd-article").count():
            page.set_viewport_size({"width": SHEET, "height": 960})
            page.emulate_media(media="print")
            paper = on_paper(page)
            page.emulate_media(media="screen")
        page.evaluate(OPEN)
        for width in (WIDE, PHONE) if both else (WIDE,):
            page.set_viewport_size({"width": width, "height": 900})
            found[width] = unfit(page, rules)
            wide[width] = wide.get(width, []) + too_wide(page)
            bad += misplaced(page, width) if light else []
        theme = page.evaluate("document.documentElement.dataset.theme")
    return Seen(faults, theme, weight, wide, bad, undrawn, pictures, found, paper, shift)
