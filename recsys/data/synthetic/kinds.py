"""The kinds of product that the synthetic shop sells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """A second-level category: one kind of product.

    Attributes:
        department: Name of the department.
        name: Category name, unique in the shop.
        nouns: What its products are called.
        materials: What they are made of.
        prices: Lowest and highest usual price.
        gender: Whom its products are for: "F", "M", "any", or "mixed" for some of each.
        accessory: The kind that is bought after it.
        use: What it is for; ends a sentence.
    """

    department: str
    name: str
    nouns: tuple[str, ...]
    materials: tuple[str, ...]
    prices: tuple[float, float]
    gender: str
    accessory: str
    use: str


# fmt: off
KINDS: Final = (
    Kind("accessories", "handbag", ("Handbag", "Tote", "City Bag"), ("leather", "canvas", "suede"),
         (39, 240), "F", "watch", "carrying the day's essentials in good order"),
    Kind("accessories", "backpack", ("Backpack", "Daypack", "Rucksack"), ("canvas", "nylon", "waxed cotton"),
         (29, 150), "any", "bottle", "commutes, campuses and weekend trips"),
    Kind("accessories", "glasses", ("Sunglasses", "Shades"), ("acetate", "steel", "bamboo"),
         (15, 160), "mixed", "hat", "bright days by the water or behind the wheel"),
    Kind("accessories", "watch", ("Watch", "Wristwatch"), ("steel", "leather", "silicone"),
         (45, 420), "mixed", "ring", "keeping time at work and at play"),
    Kind("accessories", "umbrella", ("Umbrella", "Rain Umbrella"), ("nylon", "recycled polyester"),
         (12, 60), "any", "boot", "sudden showers and windy corners"),
    Kind("apparel", "shirt", ("T-Shirt", "Tee", "Crew-Neck Shirt"), ("cotton", "linen", "jersey"),
         (10, 55), "mixed", "hat", "layering, lounging and long days out"),
    Kind("apparel", "jacket", ("Jacket", "Parka", "Bomber Jacket"), ("denim", "wool", "nylon"),
         (49, 260), "mixed", "shirt", "cool evenings and changeable weather"),
    Kind("apparel", "dress", ("Dress", "Summer Dress", "Midi Dress"), ("cotton", "silk", "viscose"),
         (29, 190), "F", "handbag", "garden parties, dinners and warm afternoons"),
    Kind("apparel", "hat", ("Beanie", "Knit Hat", "Bobble Hat"), ("wool", "cashmere", "cotton"),
         (9, 60), "any", "jacket", "frosty walks and chilly stadiums"),
    Kind("apparel", "socks", ("Socks", "Crew Socks", "Boot Socks"), ("cotton", "merino", "bamboo"),
         (5, 25), "any", "sneaker", "keeping feet warm and dry"),
    Kind("beauty", "lipstick", ("Lipstick", "Lip Colour"), ("satin", "matte", "velvet"),
         (8, 45), "F", "perfume", "a touch of colour that lasts from breakfast to midnight"),
    Kind("beauty", "perfume", ("Eau de Parfum", "Perfume", "Cologne"), ("citrus", "cedar", "jasmine"),
         (25, 180), "mixed", "lipstick", "leaving a gentle trail wherever you go"),
    Kind("beauty", "cream", ("Face Cream", "Hand Balm", "Body Butter"), ("shea", "almond", "aloe"),
         (7, 70), "mixed", "candle", "soft skin in every season"),
    Kind("books", "novel", ("Novel", "Paperback", "Story Collection"), ("recycled paper", "ivory paper"),
         (7, 30), "any", "lamp", "rainy Sundays and long train rides"),
    Kind("books", "cookbook", ("Cookbook", "Recipe Book"), ("recycled paper", "ivory paper"),
         (14, 55), "any", "pan", "home cooks who like to try something new"),
    Kind("electronics", "headphones", ("Headphones", "Wireless Headphones"), ("aluminium", "vegan leather"),
         (29, 380), "any", "phone", "music, calls and quiet on the train"),
    Kind("electronics", "camera", ("Camera", "Mirrorless Camera", "Compact Camera"),
         ("magnesium", "aluminium"),
         (149, 1900), "any", "backpack", "portraits, travels and the light of early morning"),
    Kind("electronics", "laptop", ("Laptop", "Notebook Computer"), ("aluminium", "magnesium"),
         (349, 2400), "any", "headphones", "work, study and a film in the evening"),
    Kind("electronics", "phone", ("Smartphone", "Phone"), ("glass", "aluminium"),
         (149, 1300), "any", "headphones", "photos, maps and staying in touch"),
    Kind("electronics", "speaker", ("Speaker", "Bluetooth Speaker"), ("walnut", "aluminium", "fabric"),
         (25, 320), "any", "phone", "filling a room or a garden with sound"),
    Kind("floral", "bouquet", ("Bouquet", "Flower Bouquet", "Posy"), ("daisy", "rose", "tulip"),
         (19, 120), "any", "vase", "birthdays, thanks and no reason at all"),
    Kind("floral", "plant", ("House Plant", "Potted Plant", "Monstera"), ("ceramic pot", "clay pot"),
         (12, 95), "any", "lamp", "bringing green to a bright corner"),
    Kind("floral", "cactus", ("Cactus", "Potted Cactus"), ("clay pot", "ceramic pot"),
         (6, 40), "any", "vase", "window sills and forgetful gardeners"),
    Kind("footwear", "sneaker", ("Sneakers", "Trainers", "Running Shoes"), ("mesh", "leather", "knit"),
         (35, 190), "mixed", "socks", "running errands and running for fun"),
    Kind("footwear", "boot", ("Boots", "Ankle Boots", "Hiking Boots"), ("leather", "suede", "rubber"),
         (49, 260), "mixed", "socks", "wet pavements and forest paths"),
    Kind("footwear", "sandal", ("Sandals", "Slides", "Beach Sandals"), ("leather", "cork", "rubber"),
         (15, 110), "mixed", "glasses", "beaches, boardwalks and bare feet"),
    Kind("furniture", "chair", ("Chair", "Dining Chair", "Side Chair"), ("oak", "beech", "walnut"),
         (49, 420), "any", "cushion", "long dinners and good conversation"),
    Kind("furniture", "sofa", ("Sofa", "Loveseat", "Couch"), ("velvet", "linen", "leather"),
         (299, 2400), "any", "cushion", "film nights and Sunday naps"),
    Kind("furniture", "table", ("Side Table", "Dining Table", "Coffee Table"), ("oak", "walnut", "pine"),
         (79, 1100), "any", "chair", "meals, work and card games"),
    Kind("furniture", "bookshelf", ("Bookshelf", "Bookcase"), ("oak", "pine", "walnut"),
         (69, 640), "any", "novel", "books, plants and the odd souvenir"),
    Kind("groceries", "fruit", ("Apples", "Orchard Apples"), ("gala", "braeburn", "golden"),
         (2, 12), "any", "cheese", "lunch boxes and apple pie"),
    Kind("groceries", "bread", ("Sourdough Loaf", "Farmhouse Bread"), ("rye", "wheat", "spelt"),
         (3, 11), "any", "jam", "breakfast toast and evening soup"),
    Kind("groceries", "cheese", ("Cheese Wedge", "Farmhouse Cheese"), ("cow's milk", "goat's milk"),
         (4, 26), "any", "bread", "a board to share with friends"),
    Kind("groceries", "coffee", ("Coffee Beans", "Ground Coffee", "Espresso Roast"),
         ("arabica", "Ethiopian", "Colombian"),
         (6, 34), "any", "mug", "slow mornings and quick breaks"),
    Kind("groceries", "jam", ("Jam", "Preserve", "Marmalade"), ("strawberry", "apricot", "bitter orange"),
         (3, 14), "any", "bread", "scones, pancakes and a spoon when nobody looks"),
    Kind("homedecor", "lamp", ("Table Lamp", "Reading Lamp", "Bedside Lamp"), ("linen", "brass", "ceramic"),
         (25, 260), "any", "table", "warm light on a winter evening"),
    Kind("homedecor", "vase", ("Vase", "Flower Vase"), ("stoneware", "porcelain", "glass"),
         (12, 140), "any", "bouquet", "a single stem or a generous bunch"),
    Kind("homedecor", "cushion", ("Cushion", "Throw Pillow"), ("linen", "velvet", "cotton"),
         (10, 80), "any", "sofa", "sofas, window seats and reading corners"),
    Kind("homedecor", "clock", ("Wall Clock", "Kitchen Clock"), ("oak", "steel", "bamboo"),
         (18, 150), "any", "lamp", "never being late for dinner again"),
    Kind("homedecor", "candle", ("Scented Candle", "Pillar Candle"), ("beeswax", "soy wax"),
         (6, 50), "any", "vase", "a quiet hour at the end of the day"),
    Kind("housewares", "mug", ("Mug", "Coffee Mug", "Tea Mug"), ("stoneware", "porcelain", "enamel"),
         (6, 34), "any", "coffee", "the first coffee and the last tea of the day"),
    Kind("housewares", "plate", ("Plate", "Dinner Plate", "Side Plate"), ("porcelain", "stoneware", "enamel"),
         (6, 48), "any", "mug", "everyday meals and festive tables"),
    Kind("housewares", "pan", ("Frying Pan", "Skillet"), ("cast iron", "steel", "copper"),
         (18, 160), "any", "cookbook", "pancakes, omelettes and a proper sear"),
    Kind("housewares", "teapot", ("Teapot", "Tea Pot"), ("porcelain", "cast iron", "stoneware"),
         (18, 120), "any", "mug", "an unhurried afternoon for two"),
    Kind("housewares", "bottle", ("Water Bottle", "Thermos Flask"), ("steel", "aluminium"),
         (12, 48), "any", "backpack", "cold water on the trail and hot soup at the desk"),
    Kind("instruments", "guitar", ("Acoustic Guitar", "Guitar"), ("spruce", "mahogany", "maple"),
         (89, 1500), "any", "speaker", "campfires, stages and bedrooms"),
    Kind("instruments", "drum", ("Snare Drum", "Hand Drum"), ("maple", "birch", "steel"),
         (49, 620), "any", "headphones", "finding the beat and keeping it"),
    Kind("instruments", "keys", ("Keyboard Piano", "Stage Piano"), ("matte finish", "gloss finish"),
         (99, 1600), "any", "headphones", "first scales and late-night sonatas"),
    Kind("jewelry", "ring", ("Ring", "Gemstone Ring"), ("gold", "silver", "rose gold"),
         (29, 900), "mixed", "necklace", "promises, or simply because it shines"),
    Kind("jewelry", "necklace", ("Necklace", "Pendant Necklace"), ("gold", "silver", "rose gold"),
         (25, 700), "F", "earrings", "a plain neckline that asks for a little light"),
    Kind("jewelry", "earrings", ("Earrings", "Drop Earrings"), ("gold", "silver", "rose gold"),
         (15, 420), "F", "necklace", "evenings out and ordinary Tuesdays"),
    Kind("outdoors", "tent", ("Tent", "Camping Tent", "Trekking Tent"), ("ripstop nylon", "polycotton"),
         (79, 620), "any", "lantern", "starry nights and misty mornings"),
    Kind("outdoors", "lantern", ("Lantern", "Camping Lantern"), ("steel", "brass"),
         (15, 90), "any", "tent", "camp tables and garden paths"),
    Kind("outdoors", "bicycle", ("Bicycle", "City Bike", "Gravel Bike"), ("steel", "aluminium"),
         (199, 2200), "any", "bottle", "the way to work and the long way home"),
    Kind("outdoors", "ball", ("Football", "Soccer Ball"), ("leather", "rubber"),
         (10, 60), "any", "sneaker", "parks, playgrounds and penalty shoot-outs"),
    Kind("seasonal", "bauble", ("Christmas Bauble", "Tree Ornament"), ("glass", "wood"),
         (4, 30), "any", "gift", "the branch that everybody sees first"),
    Kind("seasonal", "pumpkin", ("Pumpkin Decoration", "Halloween Pumpkin"), ("ceramic", "felt"),
         (6, 45), "any", "candle", "porches, window sills and trick-or-treaters"),
    Kind("seasonal", "gift", ("Gift Box", "Surprise Box"), ("card", "satin ribbon"),
         (9, 90), "any", "bauble", "someone who has everything but this"),
    Kind("tools", "hammer", ("Hammer", "Claw Hammer"), ("hickory", "fibreglass"),
         (9, 60), "any", "saw", "nails, pegs and the occasional stubborn lid"),
    Kind("tools", "screwdriver", ("Screwdriver", "Precision Screwdriver"), ("chrome vanadium", "steel"),
         (5, 40), "any", "wrench", "flat-pack evenings and wobbly door handles"),
    Kind("tools", "saw", ("Hand Saw", "Panel Saw"), ("beech", "steel"),
         (12, 80), "any", "hammer", "clean cuts through timber and board"),
    Kind("tools", "wrench", ("Wrench", "Combination Spanner"), ("chrome vanadium", "steel"),
         (7, 70), "any", "screwdriver", "bicycles, boilers and everything with a bolt"),
    Kind("toys", "bear", ("Teddy Bear", "Plush Bear"), ("plush", "mohair"),
         (10, 70), "any", "blocks", "bedtime stories and scraped knees"),
    Kind("toys", "blocks", ("Building Blocks", "Wooden Blocks"), ("beech", "maple"),
         (9, 60), "any", "car", "towers that are meant to fall"),
    Kind("toys", "car", ("Toy Car", "Racing Car"), ("wood", "die-cast metal"),
         (5, 45), "any", "blocks", "carpets, ramps and sandpits"),
    Kind("toys", "kite", ("Kite", "Stunt Kite"), ("nylon", "paper and bamboo"),
         (9, 75), "any", "ball", "windy hills and empty beaches"),
)
# fmt: on
