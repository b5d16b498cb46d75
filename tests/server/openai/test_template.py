"""Chat templates render as in transformers, and special tokens count only where they write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

from motet.engine.marked import Disguise, encode_marked
from motet.engine.template import ChatTemplate
from motet.errors import CheckpointError, InputError
from motet.streams import StreamCodec
from motet.streams.layout import SpecialToken, single_channel
from tests.server.openai.engines import SPECIAL, TEMPLATE, chat_tokenizer

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LFM2 = """\
{{- bos_token -}}
{%- set keep_past_thinking = keep_past_thinking | default(false) -%}
{%- set ns = namespace(system_prompt="", last_assistant=-1) -%}
{%- if messages[0].role == "system" -%}
    {%- set ns.system_prompt = messages[0].content -%}
    {%- set messages = messages[1:] -%}
{%- endif -%}
{%- if tools -%}
    {%- set ns.system_prompt = ns.system_prompt + ("\\n" if ns.system_prompt else "")
        + "List of tools: " + (tools | tojson) -%}
{%- endif -%}
{%- if ns.system_prompt -%}
    {{- "<|im_start|>system\\n" + ns.system_prompt + "<|im_end|>\\n" -}}
{%- endif -%}
{%- for message in messages if message.role == "assistant" -%}
    {%- set ns.last_assistant = loop.index0 -%}
{%- endfor -%}
{%- for message in messages -%}
    {{- "<|im_start|>" + message.role + "\\n" -}}
    {%- set content = message.content -%}
    {%- if message.role == "assistant" and not keep_past_thinking -%}
        {%- if "</think>" in content -%}
            {%- set content = content.split("</think>")[-1] | trim -%}
        {%- endif -%}
    {%- endif -%}
    {{- content + "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "<|im_start|>assistant\\n" -}}
{%- endif -%}
"""
REASONING = """\
{% for message in messages %}
    {% if loop.first and message.role != 'system' %}
<|system|>
Today is {{ strftime_now('%Y') }}.</s>
    {% endif %}
    {% if message.role == 'assistant' %}
        {% generation %}
<|assistant|>{% if message.reasoning_content %}<think>{{ message.reasoning_content | trim }}</think>
{% endif %}{{ message.content }}</s>
        {% endgeneration %}
        {% continue %}
    {% endif %}
<|{{ message.role }}|>
{{ {'text': message.content, 'n': loop.index} | tojson(indent=2) }}</s>
{% endfor %}
{% if add_generation_prompt %}
<|assistant|>{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}
{% endif %}
"""
STRICT = """\
{{ bos_token }}{% for message in messages %}
{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('roles must alternate') }}
{% endif %}
{% if message.role == 'user' %}[INST] {{ message.content | trim }} [/INST]
{%- else %} {{ message.content }}{{ eos_token }}{% endif %}
{% endfor %}"""
CHATS: dict[str, list[dict[str, str]]] = {
    "one": [{"role": "user", "content": "What is 2 + 3?"}],
    "several": [
        {"role": "user", "content": " Hi, \u4f60\u597d!\n\n"},
        {"role": "assistant", "content": "<think>so</think>\nHello <b> & 'you'."},
        {"role": "user", "content": 'And {{ now }} "this" {% raw %}?'},
    ],
    "system": [
        {"role": "system", "content": "Be brief.\n"},
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "y", "reasoning_content": " z \n"},
        {"role": "user", "content": "w"},
    ],
}
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}


def as_transformers(
    template: str, messages: list[dict[str, str]], values: dict[str, Any], *, prompts: bool
) -> str:
    rendered, _ = render_jinja_template(
        [messages], chat_template=template, add_generation_prompt=prompts, **NAMES, **values
    )
    assert isinstance(rendered, list)
    return str(rendered[0])


@pytest.mark.parametrize("chat", CHATS)
@pytest.mark.parametrize(
    ("template", "values"),
    [
        (CHATML, {}), (LFM2, {}), (LFM2, {"keep_past_thinking": True}), (REASONING, {}),
        (REASONING, {"enable_thinking": False}), (TEMPLATE, {}), (STRICT, {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("prompts", [True, False])
def test_renders_as_transformers_does(
    template: str, values: dict[str, Any], chat: str, prompts: bool
) -> None:
    ours = ChatTemplate(template, NAMES)
    messages = CHATS[chat]
    if template is STRICT and chat == "system":
        with pytest.raises(InputError, match="roles must alternate"):
            ours.render(messages, values, add_generation_prompt=prompts)
        return
    expected = as_transformers(template, messages, values, prompts=prompts)
    assert ours.render(messages, values, add_generation_prompt=prompts) == expected


def test_knows_which_values_a_template_looks_at() -> None:
    assert ChatTemplate(REASONING, NAMES).variables == {"enable_thinking"}
    assert ChatTemplate(LFM2, NAMES).variables == {"keep_past_thinking"}
    assert ChatTemplate(CHATML, NAMES).variables == frozenset()


@pytest.mark.parametrize("source", ["{% if %}", "{{ x", "{% nonsense %}"])
def test_refuses_what_is_no_template(source: str) -> None:
    with pytest.raises(CheckpointError, match="chat template"):
        ChatTemplate(source, {})


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages[5].content }}",
        "{{ messages + 1 }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ],
)
def test_what_a_template_may_not_do_is_an_error_of_one_line(source: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*chat template[^\n]*$"):
        ChatTemplate(source, {}).render(CHATS["one"])


CODEC = StreamCodec(chat_tokenizer(), single_channel(SpecialToken(1, "</s>"), opening=(0,)))
WRITTEN = st.lists(
    st.sampled_from([*SPECIAL, "a", " ", "\ue000", "\ue001", "<|", "|>", "\u4f60"]), max_size=6
).map("".join)
IDS_OF_SPECIAL = set(range(len(SPECIAL)))


def test_tokens_are_those_of_transformers() -> None:
    theirs = PreTrainedTokenizerFast(
        tokenizer_object=chat_tokenizer(), bos_token="<s>", eos_token="</s>",
        chat_template=TEMPLATE,
    )  # fmt: skip
    ours = ChatTemplate(TEMPLATE, NAMES)
    for chat in CHATS.values():
        expected = theirs.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
        assert encode_marked(ours.render(chat), CODEC) == expected


@given(st.lists(WRITTEN, min_size=1, max_size=4))
def test_what_people_write_never_becomes_a_special_token(texts: list[str]) -> None:
    disguise = Disguise(CODEC.special_tokens, texts)
    written = [disguise.put_on(text, role="user") for text in texts]
    rendered = "<|user|>" + "</s>".join(written) + "<|assistant|>"
    ids = encode_marked(rendered, CODEC, disguise)
    special = [token_id for token_id in ids if token_id in IDS_OF_SPECIAL]
    assert special == [2, *[1] * (len(texts) - 1), 3]
    assert CODEC.decode(ids) == "<|user|>" + "</s>".join(texts) + "<|assistant|>"


@given(WRITTEN)
def test_the_assistants_own_tags_stay_for_the_template(text: str) -> None:
    disguise = Disguise(CODEC.special_tokens, [text])
    spared = disguise.put_on(text, role="assistant")
    assert [spared.count(tag) for tag in ("<think>", "</think>")] == [
        text.count(tag) for tag in ("<think>", "</think>")
    ]
    assert "<|assistant|>" not in spared
    assert disguise.take_off(spared) == text


def test_text_without_special_tokens_is_left_alone() -> None:
    text = "\ue000 <|user| > </ s>"
    assert Disguise(CODEC.special_tokens, [text]).put_on(text, role="user") == text
