"""The people and things that template slots are filled with.

Plain lists, so that anyone can lengthen them. Pronouns go with the name only to keep the
generated stories readable. The words for letter tasks are common, short and lower case.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CONTAINERS", "PEOPLE", "THINGS", "WORDS", "Person", "Thing"]


@dataclass(frozen=True, slots=True)
class Person:
    """A first name and its pronouns."""

    name: str
    he: str
    him: str
    his: str


@dataclass(frozen=True, slots=True)
class Thing:
    """Something countable: "one shelf", "many shelves"."""

    one: str
    many: str


_SHE = """
Mary Emma Anna Lena Sara Mia Julia Laura Nina Olivia Sophie Grace Ella Lily Zoe Maya Rosa Clara
Ruth Alice Betty Carla Diana Elsa Fatima Gina Hannah Irene Jane Kate Lucy Maria Nora Paula Rita
Susan Tina Uma Vera Wendy Amy Beth Chloe Daisy Eva Fiona Helen Ivy Jenny Karen Linda Molly
Natalie Penny Rachel Sally Tanya Aisha Mei Priya Yuki Ingrid Samantha Jessica Lisa Michelle
Kelly Cindy Julie Megan Marta Carol Ashley Gloria Brenda Leah Amelia
"""
_HE = """
Tom Ben Sam Jack Leo Max Paul Peter John Adam Oscar Luke Noah Eric Frank George Henry Ivan James
Kevin Liam Mark Nick Omar Pablo Ryan Simon Tim Victor Will Alex Bob Carl David Ethan Fred Greg
Hugo Ian Jake Kyle Lucas Mike Nathan Owen Philip Ravi Steve Tony Walter Zack Ali Chen Diego Hiro
Jamal Lars Mateo Raj Stefan Bill Brian Charles Daniel Jerry Josh Matt Robert Richard Andrew
Anthony Billy Bobby Joe Michael Jim Harry Larry Tyler
"""
_THINGS = """
apple orange banana book pencil pen marble sticker stamp card coin shell stone flower rose
cookie cupcake muffin candle button bead balloon crayon marker notebook magazine ticket toy ball
kite doll egg lemon plum pear carrot potato+es tomato+es onion cap hat shirt sock glove key cup
plate bowl spoon bottle chair lamp photo poster postcard letter badge ribbon puzzle block robot
car truck train boat duck rabbit chicken goat fish+ cat dog hen seed nut walnut pancake donut
bagel sandwich+es pizza ring necklace bracelet watermelon peach+es mango+es grape
cherry:cherries strawberry:strawberries candy:candies lollipop chocolate pumpkin tulip brick
nail screw board basketball baseball trophy:trophies game comic sweater dress+es shovel hammer
wrench+es ladder bucket rake saw drill chain hook barrel kettle pan fork knife:knives towel
pillow blanket carpet mirror clock watch+es scarf:scarves coat jacket boot sandal belt tie
umbrella suitcase backpack wallet purse map globe flag drum flute violin guitar trumpet piano
whistle bell apricot fig date avocado coconut pineapple melon radish+es turnip cabbage pepper
bean pea mushroom loaf:loaves bun roll waffle pie cracker biscuit pretzel sausage burger taco
dumpling noodle snack rock crystal gem diamond pearl feather leaf:leaves acorn pinecone seashell
starfish+ twig log stick branch+es tile plank pipe wire rope battery:batteries bulb magnet
lens+es wheel tire engine rocket drone phone laptop tablet charger speaker headphone painting
drawing sketch+es statue vase bouquet wreath lantern story:stories poem song recipe essay
riddle joke message email report chapter dictionary:dictionaries dolphin whale penguin eagle owl
lizard snake turtle snail ant bee butterfly:butterflies ladybug spider squirrel mask costume
crown wand sword shield helmet medal certificate diploma coupon voucher token
"""
_CONTAINERS = """
box+es bag basket jar crate shelf:shelves drawer tray pack packet bucket bin carton case table
room row team group bus+es van tank folder album pot pocket bowl plate cage chest
"""
_WORDS = """
apple orange banana lemon cherry mango bread butter cheese sugar honey water coffee table chair
window door house garden kitchen school teacher pencil paper book letter story music piano
guitar violin drum singer dance river ocean island beach mountain forest desert valley rain snow
storm cloud sun moon star sky wind fire stone tiger lion zebra monkey rabbit horse sheep goat
chicken duck goose eagle parrot snake turtle frog fish whale shark dolphin spider butterfly
mouse cat dog cow pig wolf fox bear camel panda red green blue yellow purple black white silver
golden brown pink happy sad angry brave clever quiet loud quick slow strong weak small large
tall short round square mother father sister brother uncle aunt cousin friend baby king queen
prince doctor nurse farmer baker driver pilot sailor soldier artist writer summer winter spring
autumn morning evening night monday friday sunday january march april june july august october
hand foot head nose mouth finger shoulder car bus train plane boat ship bicycle rocket engine
wheel bridge street city village market castle tower church hello world planet robot computer
keyboard screen camera phone clock watch+es lamp candle mirror basket bottle cup plate spoon fork
knife pillow blanket carpet curtain ladder hammer needle button ribbon ticket letter stamp
potato tomato carrot onion pepper pumpkin salad soup pizza noodle cookie cake chocolate vanilla
pocket rocket puzzle balloon marble jungle temple simple people bottle little middle saddle
giggle summer dinner winner hammer rubber ladder kitten mitten cotton button lesson mirror
carrot rabbit strawberry mississippi elephant giraffe kangaroo penguin crocodile umbrella
holiday adventure language number
"""


def _names(text: str, he: str, him: str, his: str) -> tuple[Person, ...]:
    return tuple(Person(name, he, him, his) for name in text.split())


def _thing(word: str) -> Thing:
    """Read "egg" (eggs), "box+es" (boxes) or "shelf:shelves"."""
    if ":" in word:
        one, many = word.split(":")
        return Thing(one, many)
    one, plus, ending = word.partition("+")
    return Thing(one, one + (ending if plus else "s"))


PEOPLE = _names(_SHE, "she", "her", "her") + _names(_HE, "he", "him", "his")
THINGS = tuple(map(_thing, _THINGS.split()))
CONTAINERS = tuple(map(_thing, _CONTAINERS.split()))
WORDS = tuple(_WORDS.split())
