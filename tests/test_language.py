"""Every sentence that a person reads: in three languages alike, each in its own script, nowhere but in language/."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from regard.language import LANGUAGES, catalogue

SOURCE = Path(__file__).parents[1] / "src" / "regard"
TOPICS = sorted(path.stem for path in (SOURCE / "language" / "en").glob("*.toml"))
CHINESE = [lang for lang in LANGUAGES if lang.startswith("zh")]
SPEAKERS = {"say": "", "BadInput": "errors.", "Failure": "errors."}
HIDDEN = {"say": {"code"}, "BadInput": {"code", "lang"}, "Failure": {"code", "lang"}}  # no names for facts

HAN = re.compile(r"[\u3400-\u9fff]")
CHINESE_WORD = re.compile(r"[\u4e00-\u9fff]{2,}")
FOUR_WORDS = re.compile(r"(?:[^\W\d_]+(?:['’][a-z]+)?[,;:.]? ){3,}[^\W\d_]+")
HALF_WIDTH = re.compile(r"(?<=[\u3400-\u9fff」』）])\s?[,:;!?]|[,;!?](?=[\u3400-\u9fff])|(?<=[\u3400-\u9fff])\.(?!\w)")
# Words that betray the other region. Words that both use, in another sense too, are left out.
FOREIGN_WORDS = {
    "zh-Hant": "默認 軟件 硬件 信息 內存 字符 網絡 用戶 數組 服務器 視頻 緩存 鏈接 數據 矢量 調用 缺省 打印 屏幕",
    "zh-Hans": "预设 软体 硬体 讯息 记忆体 字元 网路 阵列 伺服器 影片 快取 资料夹 档案 呼叫 列印 萤幕 程式 滑鼠 位元",
}


def placeholders(sentence: str) -> set[str]:
    """The facts that a sentence names."""
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def sentences(lang: str) -> dict[str, str]:
    return {f"{topic}.{key}": text for topic in TOPICS for key, text in catalogue(lang, topic).items()}


ENGLISH = sentences("en")


# The catalogues


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_same_topics_keys_and_facts(lang: str) -> None:
    assert sorted(path.stem for path in (SOURCE / "language" / lang).glob("*.toml")) == TOPICS
    here = sentences(lang)
    assert here.keys() == ENGLISH.keys()
    assert {code: placeholders(text) for code, text in here.items()} == {
        code: placeholders(text) for code, text in ENGLISH.items()
    }


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_sentence_is_one_line_of_text(lang: str) -> None:
    """And none is empty, but for the space between sentences, which Chinese has not."""
    here = sentences(lang)
    assert {code for code, text in here.items() if not text and ENGLISH[code].strip()} == set()
    assert {code for code, text in here.items() if code.startswith("errors.") and "\n" in text} == set()


def own(text: str) -> str:
    """A sentence without what is not its own: quotations, and the names of the languages."""
    return re.sub("「[^」]*」|“[^”]*”|简体中文|繁體中文", "…", text)


def foreign_signs(text: str, lang: str) -> str:
    """Characters that the other script alone has: Big5 holds the Traditional set (and some more), GB 2312 the other."""
    encoding, more = {"zh-Hant": ("big5", "个么与无"), "zh-Hans": ("gb2312", "")}[lang]
    return "".join(sign for sign in HAN.findall(own(text)) if sign in more or not sign.encode(encoding, "ignore"))


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("找不到檔案，請給一個存在的路徑", "zh-Hans", "檔請給個徑"),
        ("找不到文件，请给出一个存在的路径", "zh-Hant", "请给个径"),
        ("三个词：“退貨 流程 期限”", "zh-Hans", ""),
        ("每個查詢的權重總和為一", "zh-Hant", ""),
        ("每个查询的权重总和为一", "zh-Hans", ""),
    ],
)
def test_a_foreign_sign_is_seen(text: str, lang: str, expected: str) -> None:
    assert foreign_signs(text, lang) == expected


@pytest.mark.parametrize("lang", CHINESE)
def test_each_script_keeps_to_itself(lang: str) -> None:
    found = {code: foreign_signs(text, lang) for code, text in sentences(lang).items()}
    assert {code: signs for code, signs in found.items() if signs} == {}


@pytest.mark.parametrize("lang", CHINESE)
def test_each_region_has_its_words(lang: str) -> None:
    words = FOREIGN_WORDS[lang].split()
    found = {code: [word for word in words if word in text] for code, text in sentences(lang).items()}
    assert {code: words for code, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("text", "expected"), [("找不到:請", ":"), ("好, 壞", ","), ("完了.", "."), ("第 1.5 個，a:b", None)]
)
def test_a_half_width_sign_is_seen(text: str, expected: str | None) -> None:
    found = HALF_WIDTH.search(text)
    assert (found and found.group().strip()) == expected


@pytest.mark.parametrize("lang", CHINESE)
def test_chinese_has_full_width_punctuation(lang: str) -> None:
    assert {code: text for code, text in sentences(lang).items() if HALF_WIDTH.search(own(text))} == {}


# The source


def trees(root: Path = SOURCE) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(root.rglob("*.py")):
        if path.parts[len(root.parts)] != "language":
            yield str(path.relative_to(root)), ast.parse(path.read_text(encoding="utf-8"))


def codes(node: ast.expr) -> list[str]:
    """The codes an argument can be, as patterns: literals, either of two, f-strings with anything in their holes."""
    match node:
        case ast.Constant(value=str(text)):
            return [re.escape(text)]
        case ast.JoinedStr(values=parts):
            return ["".join(re.escape(part.value) if isinstance(part, ast.Constant) else r"[\w-]+" for part in parts)]
        case ast.IfExp(body=one, orelse=other):
            return codes(one) + codes(other)
    return []


def speaker(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def spoken(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call that names a sentence, with the pattern of its code; a file's own `say` knows its topic itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and speaker(node) in SPEAKERS:
            for code in codes(node.args[0]):
                topic = re.escape(SPEAKERS[speaker(node)]) or ("" if r"\." in code else r"\w+\.")
                yield node, topic + code


def mute(tree: ast.Module) -> list[str]:
    """Calls whose sentence is missing, whose sentence lacks a fact, or whose fact hides a parameter."""
    told = []
    for call, pattern in spoken(tree):
        meant = [code for code in ENGLISH if re.fullmatch(pattern, code)]
        given = {str(word.arg) for word in call.keywords}
        certain = len(meant) == 1 and "None" not in given
        needed = placeholders(ENGLISH[meant[0]]) if certain else set()
        told += [f"line {call.lineno}: no sentence {pattern}"] if not meant else []
        told += [f"line {call.lineno}: {pattern} needs {name}" for name in sorted(needed - given)]
        told += [f"line {call.lineno}: no fact may be called {name}" for name in sorted(given & HIDDEN[speaker(call)])]
    return told


def test_every_code_has_its_sentence_and_its_facts() -> None:
    told = [f"{name}, {line}" for name, tree in trees() for line in mute(tree)]
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("raise BadInput('no_such_code')", "no sentence errors"),
        ("raise errors.Failure(f'no_such_{kind}', path=1)", "no sentence errors"),
        ("say('views.no_such' if x else 'views.weight')", "no sentence views"),
        ("raise BadInput('file_missing', road=1)", "needs path"),
        ("raise BadInput('file_missing', path=1, code=2)", "no fact may be called code"),
    ],
)
def test_a_planted_call_is_caught(source: str, complaint: str) -> None:
    assert any(complaint in line for line in mute(ast.parse(source)))


def test_a_right_call_is_let_be() -> None:
    assert mute(ast.parse("raise BadInput('file_missing', path=1)\nsay('views.weight', lang='en')\nsay(code)")) == []


def test_no_sentence_is_dead() -> None:
    """Each sentence is named in the source: in a call, or as a literal that a call is given later."""
    patterns, literals = set(), set()
    for _, tree in trees():
        patterns |= {pattern for _, pattern in spoken(tree)}
        literals |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    named = re.compile("|".join(sorted(patterns)) or "(?!)")
    dead = [c for c in ENGLISH if not named.fullmatch(c) and not {c, c.partition(".")[2]} & literals]
    assert not dead, dead


def quiet(tree: ast.Module) -> set[int]:
    """Literals that are no sentence for a person: docstrings, shapes, asserts, word lists, what Python itself says."""
    silent: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as told) | ast.Assert(msg=ast.expr() as told):
                silent |= {id(inner) for inner in ast.walk(told)}
            case ast.Call(func=ast.Name(id="AttributeError"), args=[told]):
                silent |= {id(inner) for inner in ast.walk(told)}
            case ast.Attribute(value=ast.Constant() as words, attr="split"):
                silent.add(id(words))
            case ast.Subscript(slice=inner):
                silent |= {id(part) for part in (inner.elts if isinstance(inner, ast.Tuple) else [inner])}
            case ast.JoinedStr(values=parts):
                silent |= {id(part) for part in parts}
    return silent


def is_sentence(text: str) -> bool:
    """Four words in a row, or Chinese; but no name of a font, and no comment or import of a program in a template."""
    runs = [run.group().split() for run in FOUR_WORDS.finditer(re.sub(r"(?m)^[%#].*", "", text))]
    spoken = [run for run in runs if sum(word.islower() for word in run) >= 2 and run[0] != "import"]
    return bool(spoken or CHINESE_WORD.search(text))


def stray(tree: ast.Module) -> list[str]:
    """String literals that read like a sentence: four words in a row, or Chinese."""
    silent, told = quiet(tree), []
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr) and id(node) not in silent:
            text = "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            text = node.value
        told += [f"line {node.lineno}: {text}"] if is_sentence(text) else []
    return told


def test_no_sentence_stands_outside_language() -> None:
    told = [f"{name}, {line}" for name, tree in trees() for line in stray(tree)]
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    "source",
    [
        'print("The model was not found.")',
        'raise ValueError(f"the shape {shape} does not fit")',
        'app.command(help="Translate one sentence a line.")',
        'def f():\n    return "look, it\'s all here"',
        'def f(x: Annotated[str, Option(help="the name of a model")]): ...',
        'title = "注意力"',
    ],
)
def test_a_planted_sentence_is_caught(source: str) -> None:
    assert stray(ast.parse(source)) != []


@pytest.mark.parametrize(
    "source",
    [
        '"""This docstring is for those who read the code."""',
        'def f(x: Float[Tensor, "batch heads queries keys"]) -> Float[Tensor, "batch heads queries d_value"]: ...',
        'assert x, "this can never be so"',
        'elements = "math mfrac mi mn mo".split()\nfonts = ["Noto Sans CJK TC"]',
        'names = ["query", "key"]\npath = "a/b c/d.html"\nlatex = r"\\frac{a}{b} \\cdot c"',
        "say('views.weight')  # a comment may say what it likes",
    ],
)
def test_what_is_no_sentence_is_let_be(source: str) -> None:
    assert stray(ast.parse(source)) == []
