"""Who will buy: labels, examples, the network beside its baselines, evaluation, promotion, scores.

As a library, on any pandas, Polars or Arrow table with a label of 0 and 1::

    from customer_profiles.conversion import ConversionModel, evaluate

    model = ConversionModel(seed=1).fit(table, label)
    probability = model.predict(later_table)
    evaluation = evaluate(later_label, customer_key, {"network": probability})
    model.save("folder")
    ConversionModel.load("folder").predict(later_table)

No column needs to be listed: numbers, booleans, dates, categories and missing values are told apart by
their types. The baselines of ``conversion.baselines`` have the same ``fit`` and ``predict``.
"""

from customer_profiles.conversion.batches import Batch, TooFewExamples
from customer_profiles.conversion.evaluation import Evaluation, evaluate
from customer_profiles.conversion.frames import InputsError
from customer_profiles.conversion.network import ConversionModel, ModelFileError

__all__ = [
    "Batch",
    "ConversionModel",
    "Evaluation",
    "InputsError",
    "ModelFileError",
    "TooFewExamples",
    "evaluate",
]
