"""Image and text embeddings of the catalogue."""

from components.image import TRAINING_IMAGE
from kfp.dsl import Dataset, Input, Output, component


@component(base_image=TRAINING_IMAGE, install_kfp_package=False)
def encode_items(data: Input[Dataset], recipe: dict, tables: Output[Dataset]) -> None:
    """Encodes every item's picture and description into 64 dimensions each.

    Args:
        data: The validated data set.
        recipe: Settings of the training, which name the encoders.
        tables: Files of the release: `image_embeddings.npy` and `text_embeddings.npy`.
    """
