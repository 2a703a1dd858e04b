"""From what was found to what is believed: matching words, choosing metrics, sizing opportunities, pricing them."""
