"""shiori keeps data sets: receives, converts, stores, lists and reads them."""
