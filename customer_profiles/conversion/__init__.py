"""Who will buy: labels, examples, the network beside its baselines, evaluation, promotion, scores.

As a library, on any table with a label::

    from customer_profiles.conversion import ConversionModel

    model = ConversionModel(seed=1).fit(frame, label)
    probability = model.predict(other_frame)
"""

from customer_profiles.conversion.network import ConversionModel

__all__ = ["ConversionModel"]
