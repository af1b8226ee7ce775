"""Features: what the models read, computed the same way for training and for serving.

`behavior` and `arrays` need NumPy alone, `training` pandas too; `workflows`, `export` and `backend` import
NVTabular and belong to training. Import the module you need: this package imports none of them itself.
"""
