//! The metadata of a balanced set in Croissant (MLCommons, version 1.1, with the fields of responsible AI 1.0).

use dermagan_base::{hex, producer};
use dermagan_data::{HAM10000, Kind};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::images::reals::Reals;

/// The metadata. `table` are the bytes of `metadata.csv`. There is no date: equal sets have equal metadata.
pub(crate) fn croissant(reals: &Reals, generator: &str, table: &[u8]) -> Value {
    let header = reals.cache.header();
    let licence = dermagan_data::licence(header.kind);
    let licence = match licence.as_str() {
        "CC BY-NC 4.0" => "https://creativecommons.org/licenses/by-nc/4.0/".to_owned(),
        other => other.to_owned(),
    };
    let cite = match header.kind {
        Kind::Ham10000 => format!("https://doi.org/{}", HAM10000.doi),
        _ => header.name.clone(),
    };
    let column = |name: &str, kind: &str, what: &str| {
        json!({
            "@type": "cr:Field",
            "@id": format!("images/{name}"),
            "name": name,
            "description": what,
            "dataType": kind,
            "source": { "fileObject": { "@id": "metadata.csv" }, "extract": { "column": name } }
        })
    };
    json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": format!("{}-balanced", header.name),
        "description": format!(
            "Training images of {} and images that a generative model made of its classes with few images. Rows whose dx_type is \
             synthetic are generated: they show no person's skin and are not for diagnosis.",
            header.name
        ),
        "license": licence,
        "url": "https://github.com/dermagan/dermagan",
        "citeAs": cite,
        "creator": { "@type": "sc:Organization", "name": producer() },
        "version": "1.0.0",
        "distribution": [
            {
                "@type": "cr:FileObject", "@id": "metadata.csv", "name": "metadata.csv", "contentUrl": "metadata.csv",
                "encodingFormat": "text/csv", "sha256": hex(&Sha256::digest(table))
            },
            {
                "@type": "cr:FileSet", "@id": "image-files", "name": "image-files", "encodingFormat": "image/png",
                "includes": "images/*.png"
            }
        ],
        "recordSet": [{
            "@type": "cr:RecordSet", "@id": "images", "name": "images",
            "description": "One row per image, with the columns of HAM10000.",
            "field": [
                column("image_id", "sc:Text", "The name of the image's file without its ending."),
                column("lesion_id", "sc:Text", "The lesion; of a generated image an id that no photograph has."),
                column("dx", "sc:Text", "The class."),
                column("dx_type", "sc:Text", "How the diagnosis was confirmed; synthetic for generated images."),
                column("age", "sc:Text", "Age of the patient in years; empty for generated images."),
                column("sex", "sc:Text", "Sex of the patient; unknown for generated images."),
                column("localization", "sc:Text", "Body site; unknown for generated images.")
            ]
        }],
        "rai:dataCollection": format!("Photographs of {}; generated images by the model {generator}.", header.name),
        "rai:dataBiases": "A generated image varies only what the training images of its class show. See passport.json for the \
                           composition of the source.",
        "rai:dataLimitations": "Not for diagnosis, and not for validation or test sets. Nobody examined a generated image.",
        "rai:dataUseCases": "Training of classifiers of skin lesions, beside photographs.",
        "rai:personalSensitiveInformation": "The photographs are of patients, without names. passport.json has the verdict of the \
                                             audit that asked whether generated images are copies of them."
    })
}

/// The context that version 1.1 prescribes.
fn context() -> Value {
    json!({
        "@language": "en",
        "@vocab": "https://schema.org/",
        "citeAs": "cr:citeAs",
        "column": "cr:column",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "data": { "@id": "cr:data", "@type": "@json" },
        "dataType": { "@id": "cr:dataType", "@type": "@vocab" },
        "dct": "http://purl.org/dc/terms/",
        "equivalentProperty": "cr:equivalentProperty",
        "examples": { "@id": "cr:examples", "@type": "@json" },
        "extract": "cr:extract",
        "field": "cr:field",
        "fileProperty": "cr:fileProperty",
        "fileObject": "cr:fileObject",
        "fileSet": "cr:fileSet",
        "format": "cr:format",
        "includes": "cr:includes",
        "isLiveDataset": "cr:isLiveDataset",
        "jsonPath": "cr:jsonPath",
        "key": "cr:key",
        "md5": "cr:md5",
        "parentField": "cr:parentField",
        "path": "cr:path",
        "recordSet": "cr:recordSet",
        "references": "cr:references",
        "regex": "cr:regex",
        "repeated": "cr:repeated",
        "replace": "cr:replace",
        "samplingRate": "cr:samplingRate",
        "sc": "https://schema.org/",
        "separator": "cr:separator",
        "source": "cr:source",
        "subField": "cr:subField",
        "transform": "cr:transform"
    })
}
